"""Files made from the event store for people and other tools; they can be made again at any time.

`metadata.json` and `results.csv.zip` use Syne Tune's keys and column names, so that its readers load them.
"""

import csv
import io
import json
import logging
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.config.yaml_files import dump_verbatim, points_override
from hpo.events.state import ExperimentState
from hpo.events.text import best_of, front_of
from hpo.events.training_legs import schedule_of
from hpo.events.types import Event
from hpo.results.confirmed import confirmed
from hpo.results.rows import ReportedAttempt, ReportRow, columns, rows_in_parts
from hpo.store.atomic_files import write_atomically
from hpo.store.directory import ExperimentDirectory, json_object
from hpo.store.untrusted import MOST_JSON, read_untrusted

log = logging.getLogger(__name__)


def read_metadata(files: ExperimentDirectory) -> dict[str, Any]:
    """Read metadata.json; return an empty dictionary if it is absent or damaged, since the next session writes it again."""
    try:
        content = json_object(read_untrusted(files.metadata, MOST_JSON))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        why = (isinstance(error, OSError) and error.strerror) or error
        log.warning("%s: cannot be read (%s); the next run of the command writes it again", files.metadata, why)
        return {}
    return {key: value for key, value in content.items() if isinstance(value, _METADATA.get(key, (object,)))}


_METADATA: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("status", "host", "backend", "data_label"), (str,)),
    "error": (str, type(None)),
    "table_optimum": (int, float, type(None)),
    "table_front": (list,),
}
"""Types of the values that other code depends on; values of other types are left out."""


def is_complete(directory: Path) -> bool:
    """Whether metadata.json says that the experiment in a directory is complete."""
    return read_metadata(ExperimentDirectory(directory)).get("status") == "complete"


def write_results(
    directory: ExperimentDirectory, config: ExperimentConfig, read: Callable[[], Iterable[Event]]
) -> None:
    """Write results.csv.zip, a zip archive with one CSV file.

    Args:
        directory: Directory of the experiment.
        config: Configuration of the experiment.
        read: Function that returns the events; called twice, so that not all rows are in memory at once.
    """
    names = columns(config, read())
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("results.csv", "w", force_zip64=True) as member,
        io.TextIOWrapper(member, encoding="utf-8", errors="replace", newline="") as text,
    ):
        text.write(_line(map(_cell, names)))
        text.writelines(_lines(names, rows_in_parts(config, read())))
    write_atomically(directory.results, packed.getvalue())


def _lines(names: Sequence[str], rows: Iterable[ReportRow]) -> Iterator[str]:
    """Yield rows as CSV lines. Cells that an attempt's reports share are formatted once: there may be millions of rows."""
    place = {name: index for index, name in enumerate(names)}
    attempts: dict[ReportedAttempt, list[str]] = {}
    for told, attempt, more in rows:
        settings = attempt.settings
        if attempt not in attempts:
            attempts[attempt] = [_cell(settings.get(name)) for name in names]
        cells = attempts[attempt].copy()
        for name, value in told.items():
            if name not in settings:
                cells[place[name]] = repr(value) if type(value) is float else _cell(value)
        for name, value in more.items():
            cells[place[name]] = _cell(value)
        yield _line(cells)


def _line(cells: Iterable[str]) -> str:
    return ",".join(cells) + "\n"


def _cell(value: Any) -> str:
    """Format a value as a CSV cell; None is empty."""
    if type(value) is float or type(value) is int:
        return repr(value)
    return "" if value is None else _quoted(str(value))


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    """Put a text in quotes if CSV requires it."""
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\n").writerow((text, None))  # two fields: a lone empty one is quoted
    return line.getvalue()[:-2]


def write_best(directory: ExperimentDirectory, state: ExperimentState) -> None:
    """Write best.yaml with the best result and overrides that start a search from it, or front.yaml with the Pareto front."""
    best = best_of(state)
    if best is None:
        return
    if front := front_of(state):
        head = "# The Pareto front: results that no other dominates. Start a search from it: hpo @front.yaml benchmark=...\n"
        write_atomically(directory.front, (head + dump_verbatim(front)).encode())
        return
    content = {**best, "overrides": [points_override([best["configuration"]])]}
    if (found := confirmed(directory, state)) is not None:
        content["confirmed"] = found
    head = "# The best result. Start a search from it: hpo @best.yaml benchmark=...\n"
    legs = schedule_of(state)
    if len(legs) > 1:
        head = f"# The best result, of a training whose hyperparameters changed on the way: see {directory.schedule.name}.\n"
        about = "# The legs of the training that gave the best result, with their hyperparameters; hpo reproduce runs them.\n"
        content["schedule"] = directory.schedule.name
        schedule = {**{key: value for key, value in best.items() if key != "configuration"}, "legs": legs}
        write_atomically(directory.schedule, (about + dump_verbatim(schedule)).encode())
    else:
        directory.schedule.unlink(missing_ok=True)
    write_atomically(directory.best, (head + dump_verbatim(content)).encode())


def write_metadata(directory: ExperimentDirectory, config: ExperimentConfig, **facts: Any) -> None:
    """Write metadata.json, keeping what an earlier session wrote and `facts` does not change."""
    earlier = read_metadata(directory)
    benchmark, aims = config.benchmark, config.objective.aims
    program = benchmark.script or benchmark.table or benchmark.function or (benchmark.command or ["command"])[-1]
    content = {
        **earlier,
        "seed": config.seed,
        "algorithm": config.method.name,
        "tag": config.experiment_tag,
        "benchmark": benchmark.name,
        "random_seed": config.random_seed,
        "max_size_data_for_model": config.max_size_data_for_model,
        "n_workers": config.n_workers,
        **config.budget,
        "instance_type": benchmark.instance_type,
        "num_gpus_per_trial": config.num_gpus_per_trial,
        "entrypoint": Path(program).stem,
        "metric_names": [aim.metric for aim in aims] or [benchmark.metric],
        "metric_mode": [aim.mode for aim in aims] or benchmark.mode.value,
        **({"reference_point": benchmark.reference_point} if benchmark.reference_point else {}),
        **({"constraints": benchmark.constraints} if benchmark.constraints else {}),
        "resource_attr": benchmark.named_resource,
        "max_resource_attr": benchmark.max_resource_attr,
        "scheduler_name": str(config.method.scheduler.get("_target_", "")).rpartition(".")[2],
        "searcher_name": str(config.method.searcher.get("_target_", "")).rpartition(".")[2],
        "config_space": json.dumps(benchmark.config_space),
        **facts,
    }
    write_atomically(directory.metadata, json.dumps(content, indent=1).encode())
