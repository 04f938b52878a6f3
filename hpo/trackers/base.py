"""The base of all trackers: one run per trial, which is opened, receives metrics and is closed as events arrive."""

import importlib
import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError, how_to_install
from hpo.events.callback import Callback
from hpo.events.state import ExperimentState
from hpo.events.types import Configuration, Event, Kind, Status


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """The end of an attempt of a trial."""

    status: Status
    best: Mapping[str, float]
    """Best value of each objective since the trial's run was opened, if a report since then meets the constraints."""
    time: float


class TrialTracker(Callback):
    """A callback that turns the events of an experiment into one run per trial; a resumed trial resumes its run.

    Args:
        config: Configuration of the experiment.
        directory: Directory of the experiment.
    """

    package = ""
    """Name of the package that the tracker imports."""
    extra = ""
    """Extra of hpo that installs the package, if it has another name."""

    def __init__(self, config: ExperimentConfig, directory: Path | str) -> None:
        try:
            self.module: Any = importlib.import_module(self.package)
        except ImportError as error:
            raise ConfigError(
                f"hpo.trackers.{type(self).__name__}: it needs the package {self.package} ({error}); "
                f"{how_to_install(self.extra or self.package)}"
            ) from error
        self.config = config
        self.directory = Path(directory)
        self.group = config.place
        self.state = ExperimentState(config.objective)
        self.runs: dict[int, Any] = {}  # by trial id: the tracker's handle of the open run
        self._open: dict[int, tuple[float, ...]] = {}  # by trial id: lowest losses since the run was opened
        self._told = 0.0  # unix time of the last event

    # ------------------------------------------------------------------ implemented by each tracker

    @abstractmethod
    def begin(self, trial_id: int, configuration: Configuration, time: float, again: bool) -> None:
        """Open the run of a trial; `again` means that the trial had a run before."""

    @abstractmethod
    def log(self, trial_id: int, metrics: Mapping[str, float], resource: int, time: float) -> None:
        """Add the metrics of a report to the trial's run."""

    @abstractmethod
    def end(self, trial_id: int, ending: AttemptEnd) -> None:
        """Close the run of a trial."""

    # ------------------------------------------------------------------ events

    def on_open(self, state: ExperimentState) -> None:
        """Keep the state of the experiment, with which later events are interpreted."""
        self.state = state

    def on_event(self, event: Event) -> None:
        """Open, log to or close a trial's run if the event concerns a trial."""
        self._told = event.time
        if event.trial is None:
            return
        if event.kind in (Kind.STARTED, Kind.RESUMED, Kind.RESTARTED):
            self._ensure_open(event, again=event.kind != Kind.STARTED)
        elif event.kind == Kind.REPORTED:
            self._ensure_open(event, again=True)
            outcome = self.state.objective.outcome(event.body["metrics"], event.reached)
            if math.isfinite(outcome.merit):
                lowest = self._open[event.trial]
                self._open[event.trial] = tuple(map(min, lowest, outcome.losses)) if lowest else outcome.losses
            self.log(event.trial, numbers_of(event.body["metrics"]), event.reached, event.time)
        elif event.kind == Kind.ENDED and event.trial in self._open:
            self._end(event.trial, Status(event.body["status"]), event.time)

    def on_close(self) -> None:
        """Close the runs that are still open, because the session was interrupted."""
        for trial_id in list(self._open):
            self._end(trial_id, Status.INTERRUPTED, self._told)

    def _ensure_open(self, event: Event, again: bool) -> None:
        if event.trial_id not in self._open:
            self._open[event.trial_id] = ()
            self.begin(event.trial_id, self.state.trials[event.trial_id].trial.configuration, event.time, again)

    def _end(self, trial_id: int, status: Status, time: float) -> None:
        losses = self._open.pop(trial_id)
        aims = self.state.objective.each if losses else ()
        best = {aim.metric: aim.value(loss) for aim, loss in zip(aims, losses, strict=True)}
        self.end(trial_id, AttemptEnd(status, best, time))


def numbers_of(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics that are numbers, including NaN and infinities."""
    found = {}
    for name, value in metrics.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                found[name] = float(value)
            except OverflowError:
                continue
    return found


def replay(tracker: TrialTracker, events: Iterable[Event]) -> None:
    """Feed a tracker with the events of a log."""
    state = ExperimentState(tracker.config.objective)
    tracker.on_open(state)
    for event in events:
        state.apply(event)
        tracker.on_event(event)
    tracker.on_close()
