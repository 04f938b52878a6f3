"""The function `load_experiment`, which reads an experiment from its directory, for notebooks and all commands."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.config.reading import read_config
from hpo.config.schema import ExperimentConfig
from hpo.errors import HPOError, StoreError
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.text import best_of, front_of, overview
from hpo.events.trial_state import TrialState
from hpo.events.types import Event, Kind
from hpo.results.files import read_metadata
from hpo.results.hypervolume import hypervolume_text
from hpo.results.notebook import as_html
from hpo.results.rows import report_rows
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import Store
from hpo.store.experiment_paths import find_experiments

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Experiment:
    """A finished, running or interrupted experiment, read from its directory."""

    directory: Path
    config: ExperimentConfig
    metadata: Mapping[str, Any]
    events: list[Event]

    def __repr__(self) -> str:
        interrupted = self.metadata.get("status") == "interrupted"  # a killed tuner leaves "running"
        try:
            otherwise = "interrupted" if interrupted else "not complete when it was read"
            return overview(self, self.state, otherwise, hypervolume_text(self.config, self.state.front))
        except HPOError as error:  # a damaged experiment must still have a repr
            return f"Experiment {self.directory}: {error}"

    def _repr_html_(self) -> str:
        try:
            return as_html(repr(self), self.state, self.events)
        except HPOError:
            return f"<pre>{escape(repr(self))}</pre>"

    @cached_property
    def state(self) -> ExperimentState:
        """The trials and the incumbent of the experiment."""
        return ExperimentState(self.config.objective).apply_all(self.events)

    @cached_property
    def reports(self) -> "pd.DataFrame":
        """Data frame with one row per report and the columns of results.csv.zip."""
        import pandas as pd

        return pd.DataFrame(list(report_rows(self.config, self.events)))

    @cached_property
    def trials(self) -> "pd.DataFrame":
        """Data frame with one row per trial: id, status, attempts, resource, last metric or objectives, configuration."""
        import pandas as pd

        objective = self.state.objective
        return pd.DataFrame(
            {
                "trial_id": trial_id,
                "status": state.status.value,
                "attempts": state.attempt + 1,
                "resource": state.resource,
                **_last_of(objective, state),
                "seconds": state.busy,
                **{f"config_{name}": state.trial.configuration.get(name) for name in self.config.space.domains},
            }
            for trial_id, state in self.state.trials.items()
        )

    @property
    def status(self) -> str:
        """`complete`; `failed` if it finished without a finite result; `interrupted` if it has not, even if it runs."""
        return self.state.status

    @property
    def best(self) -> dict[str, Any] | None:
        """The best report as trial_id, value of the metric, resource and configuration; None before the first report.

        In a multi-objective experiment it is the best report by the first objective.
        """
        return best_of(self.state)

    @property
    def front(self) -> list[dict[str, Any]]:
        """The Pareto front of a multi-objective experiment: reports as in `best`, sorted by the first objective."""
        return front_of(self.state)

    def refresh(self) -> "Experiment":
        """Return the experiment as it is now, reading only new events unless it has been overwritten.

        Raises:
            StoreError: The experiment has been deleted, or is damaged.
        """
        files = ExperimentDirectory(self.directory)
        with contextlib.closing(Store(files.events, read_only=True)) as store:
            first = store.read_batch(0, 1)
            if first and self.events and first[0][1] == self.events[0]:
                return replace(
                    self, metadata=read_metadata(files), events=[*self.events, *store.read(len(self.events))]
                )
        return load_experiment(self.directory)

    def show(self) -> Any:
        """Show the whole report as the last line of a notebook's cell; see `hpo.show`."""
        import hpo  # via the public API: the room `reports` is on a higher floor

        return hpo.show(self)


def _last_of(objective: Objective, state: TrialState) -> Mapping[str, float | None]:
    if not objective.aims:
        return {objective.metric: None if state.loss is None else objective.value(state.loss)}
    return objective.values(state.losses) if state.losses else dict.fromkeys(aim.metric for aim in objective.aims)


def load_experiment(place: str | Path) -> Experiment:
    """Read an experiment, even while it runs, from its directory, or from a tag or directory that holds no other.

    Raises:
        StoreError: There is no experiment or more than one, or it is damaged.
    """
    found = find_experiments(place)
    if len(found) > 1:
        raise StoreError(f"{place}: {len(found)} experiments are there; name the directory of one, such as {found[0]}")
    files = ExperimentDirectory(found[0])
    if not files.events.is_file():
        raise StoreError(f"{files.path}: no events are here; start the experiment, or fetch a remote one by `hpo sync`")
    with contextlib.closing(Store(files.events, read_only=True)) as store:
        events = list(store.read())
    config = read_config(files.config)
    _check_belongs(files, config, events)
    return Experiment(files.path, config, read_metadata(files), events)


def check_experiment(directory: Path) -> ExperimentConfig:
    """The configuration of an experiment that `load_experiment` can read; its events are not kept in memory.

    Raises:
        HPOError: it cannot be read.
    """
    files = ExperimentDirectory(directory)
    config = read_config(files.config)
    with contextlib.closing(Store(files.events, read_only=True)) as store:
        _check_belongs(files, config, store.read())
    return config


def _check_belongs(files: ExperimentDirectory, config: ExperimentConfig, events: Iterable[Event]) -> None:
    """Raise StoreError unless the trials have the hyperparameters that the configuration names."""
    space = config.space
    for event in events:
        if event.kind != Kind.STARTED:
            continue
        if set(names := space.used_names(event.body["configuration"])) != set(event.body["configuration"]):
            raise StoreError(
                f"{files.config}: config_space has {', '.join(map(repr, names))}, but trial {event.trial} in events.db has "
                f"{', '.join(map(repr, event.body['configuration']))}; put back the experiment.yaml that belongs to it"
            )
