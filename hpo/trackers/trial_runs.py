"""What all trackers share: one run per trial, begun, given metrics, and ended as the events say."""

import importlib
import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError, installing
from hpo.events.callback import Callback
from hpo.events.state import ExperimentState
from hpo.events.values import Configuration, Event, Kind, Status


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt of a trial ended."""

    status: Status
    best: Mapping[str, float]
    """The best value of each objective since the trial's run was opened, of reports that meet the constraints; empty where
    there is none."""
    time: float


class TrialTracker(Callback):
    """Turns events into runs. A trial that is resumed goes on with its run.

    Args:
        config: of the experiment.
        directory: of the experiment.
    """

    package = ""
    """What is imported."""
    extra = ""
    """The extra of hpo that installs it, where it has another name."""

    def __init__(self, config: ExperimentConfig, directory: Path | str) -> None:
        try:
            self.module: Any = importlib.import_module(self.package)
        except ImportError as error:
            raise ConfigError(
                f"hpo.trackers.{type(self).__name__}: it needs the package {self.package} ({error}); "
                f"{installing(self.extra or self.package)}"
            ) from error
        self.config = config
        self.directory = Path(directory)
        self.group = config.place
        self.state = ExperimentState(config.objective)
        self.runs: dict[int, Any] = {}  # trial id: what the tracker keeps of its open run
        self._open: dict[int, tuple[float, ...]] = {}  # trial id: its lowest losses since its run was opened
        self._told = 0.0  # unix time of the last event

    # ------------------------------------------------------------------ what a tracker does

    @abstractmethod
    def begin(self, trial_id: int, configuration: Configuration, time: float, again: bool) -> None:
        """Open the trial's run; `again` when it has had one before."""

    @abstractmethod
    def log(self, trial_id: int, metrics: Mapping[str, float], resource: int, time: float) -> None:
        """Add a report."""

    @abstractmethod
    def end(self, trial_id: int, ending: Ending) -> None:
        """Close the trial's run."""

    # ------------------------------------------------------------------ what happens

    def on_open(self, state: ExperimentState) -> None:
        """Take note of what is known."""
        self.state = state

    def on_event(self, event: Event) -> None:
        """Pass on what concerns a trial."""
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
        """Close what is still open: the session was interrupted."""
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
        self.end(trial_id, Ending(status, best, time))


def numbers_of(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that are numbers, NaN and infinities included."""
    found = {}
    for name, value in metrics.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                found[name] = float(value)
            except OverflowError:
                continue
    return found


def replay(tracker: TrialTracker, events: Iterable[Event]) -> None:
    """Feed a tracker with a log."""
    state = ExperimentState(tracker.config.objective)
    tracker.on_open(state)
    for event in events:
        state.apply(event)
        tracker.on_event(event)
    tracker.on_close()
