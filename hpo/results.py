"""What is left of an experiment: files for people and other tools, and `load_experiment` for notebooks.

`metadata.json` and `results.csv.zip` have Syne Tune's keys and column names, so that its readers load them. All are
made from the event store and can be made again.
"""

import csv
import io
import json
import logging
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.config import BUDGET_KEYS, ExperimentConfig, read_config
from hpo.directory import ExperimentDirectory, write_atomically
from hpo.errors import HPOError, StoreError
from hpo.state import ExperimentState
from hpo.store import Store
from hpo.trial import Event, Kind
from hpo.wording import overview
from hpo.yamlfile import dump_verbatim, override_text

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Experiment:
    """A finished, running or interrupted experiment, read from its directory."""

    directory: Path
    config: ExperimentConfig
    metadata: Mapping[str, Any]
    events: list[Event]

    def __repr__(self) -> str:
        interrupted = self.metadata.get("status") == "interrupted"  # "running" may be of a tuner that was killed
        try:
            return overview(self, self.state, "interrupted" if interrupted else "not complete when it was read")
        except HPOError as error:  # of a damaged one: an object that cannot be shown helps nobody
            return f"Experiment {self.directory}: {error}"

    @cached_property
    def state(self) -> ExperimentState:
        """All trials and the incumbent."""
        return ExperimentState(self.config.objective).apply_all(self.events)

    @cached_property
    def reports(self) -> "pd.DataFrame":
        """One row per report, with the columns of results.csv.zip."""
        import pandas as pd

        return pd.DataFrame(list(report_rows(self.config, self.events)))

    @cached_property
    def trials(self) -> "pd.DataFrame":
        """One row per trial: id, status, attempts, resource, the metric of its last report, configuration."""
        import pandas as pd

        objective = self.state.objective
        rows = [
            {
                "trial_id": trial_id,
                "status": state.status.value,
                "attempts": state.attempt + 1,
                "resource": state.resource,
                objective.metric: None if state.loss is None else objective.value(state.loss),
                "seconds": state.busy,
                **{f"config_{name}": value for name, value in state.trial.configuration.items()},
            }
            for trial_id, state in self.state.trials.items()
        ]
        return pd.DataFrame(rows)

    @property
    def best(self) -> dict[str, Any] | None:
        """trial_id, value of the metric, resource and configuration of the best report; None before the first."""
        return best_of(self.state)


def load_experiment(place: str | Path) -> Experiment:
    """Read an experiment, also while it runs: from its directory, or a tag or directory that holds no other.

    Raises:
        StoreError: there is none or more than one, or it is damaged.
    """
    found = find_experiments(place)
    if len(found) > 1:
        raise StoreError(f"{place}: {len(found)} experiments are there; name the directory of one, such as {found[0]}")
    files = ExperimentDirectory(found[0])
    if not files.events.is_file():
        raise StoreError(f"{files.path}: no events are here; start the experiment, or fetch a remote one by `hpo sync`")
    store = Store(files.events, read_only=True)
    try:
        events = list(store.read())
    finally:
        store.close()
    config = read_config(files.config)
    _check_belongs(files, config, events)
    return Experiment(files.path, config, read_metadata(files), events)


def _check_belongs(files: ExperimentDirectory, config: ExperimentConfig, events: Iterable[Event]) -> None:
    """Raise StoreError unless the trials have the hyperparameters that the configuration names."""
    names = set(config.space.domains)
    for event in events:
        if event.kind == Kind.STARTED and set(event.body["configuration"]) != names:
            found = ", ".join(map(repr, event.body["configuration"]))
            raise StoreError(
                f"{files.config}: config_space has {', '.join(map(repr, names))}, but trial {event.trial} in events.db has "
                f"{found}; put back the experiment.yaml that belongs to it"
            )


def read_metadata(files: ExperimentDirectory) -> dict[str, Any]:
    """What metadata.json says; nothing where it is absent or damaged, for the next session writes it again."""
    try:
        content = json.loads(files.metadata.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        log.warning("%s: cannot be read (%s); the next run of the command writes it again", files.metadata, error)
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: value for key, value in content.items() if isinstance(value, _METADATA.get(key, (object,)))}


_METADATA: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("status", "host", "backend", "data_label"), (str,)),
    "error": (str, type(None)),
    "table_optimum": (int, float, type(None)),
}
"""Of what type the values are that something depends on; others are left out."""


def is_complete(directory: Path) -> bool:
    """Does its metadata.json say that the experiment in a directory is complete?"""
    return read_metadata(ExperimentDirectory(directory)).get("status") == "complete"


def find_experiments(place: str | Path) -> list[Path]:
    """The experiments in a directory, or of a tag under outputs/.

    Raises:
        StoreError: there are none.
    """
    for base in (Path(place), Path("outputs") / place):
        if ExperimentDirectory(base).config.is_file():
            return [base]
        found = sorted(path.parent for path in base.glob("**/experiment.yaml")) if base.is_dir() else []
        if found:
            return found
    raise StoreError(f"{place}: there is no experiment in that directory, and no tag of that name under outputs/")


def best_of(state: ExperimentState) -> dict[str, Any] | None:
    """The incumbent in words a person uses."""
    best = state.incumbent
    if best is None:
        return None
    return {
        "trial_id": best.trial_id,
        state.objective.metric: state.objective.value(best.loss),
        state.objective.resource_attr or "report": best.resource,
        "configuration": dict(state.trials[best.trial_id].trial.configuration),
    }


def report_rows(config: ExperimentConfig, events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    """One row per stored report, in order."""
    constants = {**config.space.constants, **config.benchmark.arguments}
    columns: dict[int, dict[str, Any]] = {}
    began: dict[int, float] = {}
    count: dict[int, int] = {}
    limit = config.benchmark.max_resource_attr
    for event in events:
        trial = event.trial
        if trial is None:
            continue
        if event.kind == Kind.STARTED:
            configuration = {**event.body["configuration"], **constants}
            columns[trial] = {f"config_{name}": value for name, value in configuration.items()}
        if event.kind in (Kind.STARTED, Kind.RESUMED, Kind.RESTARTED):
            began[trial], count[trial] = event.elapsed, 0
            if limit is not None and event.body["until"] is not None:
                columns[trial][f"config_{limit}"] = event.body["until"]
        elif event.kind == Kind.REPORTED:
            yield {
                **event.body["metrics"],
                "st_worker_timestamp": event.time,
                "st_worker_time": event.elapsed - began[trial],
                "st_worker_iter": count[trial],
                "st_decision": event.body["decision"],
                "st_status": "InProgress",
                "trial_id": trial,
                **columns[trial],
                "st_tuner_time": event.elapsed,
                **event.body.get("extra", {}),
            }
            count[trial] += 1


def write_results(
    directory: ExperimentDirectory, config: ExperimentConfig, read: Callable[[], Iterable[Event]]
) -> None:
    """Write results.csv.zip: a zip holding one CSV.

    Args:
        directory: where.
        config: of the experiment.
        read: gives its events; called twice, so that not all rows are in memory at once.
    """
    names = _columns(config, read())
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("results.csv", "w", force_zip64=True) as member,
        io.TextIOWrapper(member, encoding="utf-8", errors="replace", newline="") as text,
    ):
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([row.get(name, "") for name in names] for row in report_rows(config, read()))
    write_atomically(directory.results, packed.getvalue())


_FIXED = ("st_worker_timestamp", "st_worker_time", "st_worker_iter", "st_decision", "st_status", "trial_id")


def _columns(config: ExperimentConfig, events: Iterable[Event]) -> list[str]:
    """The names in `report_rows`, each where it comes first."""
    space, benchmark = config.space, config.benchmark
    known = [*space.domains, *space.constants, *benchmark.arguments, benchmark.max_resource_attr]
    metrics: dict[str, None] = {}
    extra: dict[str, None] = {}
    for event in events:
        if event.kind == Kind.REPORTED:
            metrics.update(dict.fromkeys(event.body["metrics"]))
            extra.update(dict.fromkeys(event.body.get("extra", ())))
    settings = [f"config_{name}" for name in known if name is not None]
    return list(dict.fromkeys([*metrics, *_FIXED, *settings, "st_tuner_time", *extra]))


def write_best(directory: ExperimentDirectory, state: ExperimentState) -> None:
    """Write best.yaml: the best result, and overrides that start a new search from it."""
    best = best_of(state)
    if best is None:
        return
    point = ", ".join(f"{name}: {override_text(value)}" for name, value in best["configuration"].items())
    content = {**best, "overrides": [f"benchmark.points_to_evaluate=[{{{point}}}]"]}
    head = "# The best result. Start a search from it: python -m hpo @best.yaml benchmark=...\n"
    write_atomically(directory.best, (head + dump_verbatim(content)).encode())


def write_metadata(directory: ExperimentDirectory, config: ExperimentConfig, **facts: Any) -> None:
    """Write metadata.json, keeping what an earlier session wrote and `facts` does not change."""
    earlier = read_metadata(directory)
    benchmark = config.benchmark
    content = {
        **earlier,
        "seed": config.seed,
        "algorithm": config.method.name,
        "tag": config.experiment_tag,
        "benchmark": benchmark.name,
        "random_seed": config.random_seed,
        "max_size_data_for_model": config.max_size_data_for_model,
        "n_workers": config.n_workers,
        **{key: getattr(config, key) for key in BUDGET_KEYS},
        "instance_type": benchmark.instance_type,
        "num_gpus_per_trial": config.num_gpus_per_trial,
        "entrypoint": Path(benchmark.script or benchmark.table or (benchmark.command or ["command"])[-1]).stem,
        "metric_names": [benchmark.metric],
        "metric_mode": benchmark.mode.value,
        "resource_attr": benchmark.resource_attr,
        "max_resource_attr": benchmark.max_resource_attr,
        "scheduler_name": str(config.method.scheduler.get("_target_", "")).rpartition(".")[2],
        "searcher_name": str(config.method.searcher.get("_target_", "")).rpartition(".")[2],
        "config_space": json.dumps(benchmark.config_space),
        **facts,
    }
    write_atomically(directory.metadata, json.dumps(content, indent=1).encode())
