"""The record of an experiment for plots and tables, updated event by event: reports, attempts, improvements, rungs.

The cost of an event does not grow with the number of earlier events. `hpo.history.curves` derives plots from a record
in the same way for a loaded experiment and for one that is followed live, so that both show the same numbers.
"""

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.events.fronts import Front, FrontPoint, extend_front
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.trial_costs import Spending
from hpo.events.trial_state import TrialState
from hpo.events.types import Decision, Event, Kind
from hpo.history.live_board import Board
from hpo.results.experiment import Experiment


@dataclass(frozen=True, slots=True)
class AttemptSpan:
    """The time span of one attempt of a trial, in elapsed seconds of the experiment."""

    trial: int
    number: int
    start: float
    end: float
    status: str
    """Status at the end of the attempt; `running` if it has not ended."""
    lane: int
    """Number of the worker, from 0: the lowest that was free when the attempt began."""
    node: str | None
    """Machine of the attempt, if there may be several."""

    @classmethod
    def of(cls, state: TrialState, end: float, status: str) -> "AttemptSpan":
        """Return the span of a trial's current attempt."""
        return cls(state.trial.id, state.attempt, state.began, end, status, state.worker, state.node)


class Reports:
    """All reports of an experiment in the order of the log, as columns."""

    def __init__(self) -> None:
        self.sequences = array("q")
        """Number of each report's event, from 1."""
        self.trials = array("q")
        self.resources = array("q")
        self.values = array("d")
        """Metric value of each report; nan if it is not finite."""
        self.elapsed = array("d")
        self.feasible = array("b")
        """1 for reports that meet the constraints, else 0."""


class TrialReports:
    """The reports of one trial, as columns."""

    __slots__ = ("best_at", "best_loss", "elapsed", "feasible", "losses", "moment", "resources", "values")

    def __init__(self) -> None:
        self.resources = array("q")
        self.values = array("d")
        self.elapsed = array("d")
        self.feasible: list[bool] = []
        """Whether each report meets the constraints; a report that does not is never the best."""
        self.losses: list[tuple[float, ...]] = []
        """Losses of each report, one per objective; empty for one objective."""
        self.moment = 0.0
        """Elapsed seconds at the last report, or the cost of all trials by then if the benchmark names a cost."""
        self.best_loss = math.inf
        self.best_at: int | None = None
        """Resource of the report with the best loss."""


class Record:
    """The history of an experiment, updated event by event.

    Args:
        objective: Objective that interprets the reports.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.sequence = 0
        """Number of the last event; the log is append-only and its numbers have no gaps."""
        self.reports = Reports()
        self.of_trial: dict[int, TrialReports] = {}
        self.improvements: list[tuple[float, float]] = []
        """Pairs (moment, loss) of each report that improved on all earlier ones and meets the constraints."""
        self.arrivals: list[FrontPoint] = []
        """Reports of a multi-objective experiment that no earlier one dominated."""
        self._front: Front = ()
        self._spending = Spending()
        self.attempts: list[AttemptSpan] = []
        """Attempts that have ended."""
        self.attempts_of: dict[int, list[AttemptSpan]] = {}
        """Attempts that have ended, by trial."""
        self.levels: set[int] = set()
        """Resources up to which trials were to train, or at which they were paused or stopped."""
        self.top: dict[int, int] = {}
        """Highest resource that each trial has reported."""
        self.goal: dict[int, int] = {}
        """Highest resource up to which each trial was to train."""

    def apply(self, event: Event, state: ExperimentState) -> None:
        """Update the record with the next event, before `state` is updated with it."""
        self.sequence += 1
        match event.kind:
            case Kind.REPORTED if event.trial is not None and event.resource is not None:
                self._reported(event, event.trial, event.resource)
            case Kind.STARTED | Kind.RESUMED | Kind.RESTARTED if event.trial is not None:
                if (until := event.body.get("until")) is not None:
                    self.levels.add(until)
                    self.goal[event.trial] = max(until, self.goal.get(event.trial, 0))
            case Kind.ENDED:
                trial = state.trials[event.trial_id]
                span = AttemptSpan.of(trial, event.elapsed, str(event.body["status"]))
                self.attempts.append(span)
                self.attempts_of.setdefault(event.trial_id, []).append(span)

    def _reported(self, event: Event, trial: int, resource: int) -> None:
        found = self.objective.outcome(event.body["metrics"], resource)
        merit = found.merit
        self._spending.add(trial, found.cost)
        moment = event.elapsed if found.cost is None else self._spending.total
        value = self.objective.value(found.loss) if math.isfinite(found.loss) else math.nan
        if merit < (self.improvements[-1][1] if self.improvements else math.inf):
            self.improvements.append((moment, merit))
        if self.objective.aims and math.isfinite(merit):
            point = FrontPoint(found.losses, trial, resource, event.elapsed)
            if (front := extend_front(self._front, point)) is not self._front:
                self._front = front
                self.arrivals.append(point)
        own = self.of_trial.get(trial)
        if own is None:
            own = self.of_trial[trial] = TrialReports()
        own.resources.append(resource)
        own.values.append(value)
        own.elapsed.append(event.elapsed)
        own.moment = moment
        own.feasible.append(found.feasible)
        if self.objective.aims:
            own.losses.append(found.losses)
        if merit < own.best_loss:
            own.best_loss, own.best_at = merit, resource
        every = self.reports
        every.sequences.append(self.sequence)
        every.trials.append(trial)
        every.resources.append(resource)
        every.values.append(value)
        every.elapsed.append(event.elapsed)
        every.feasible.append(found.feasible)
        self.top[trial] = max(resource, self.top.get(trial, 0))
        if event.body["decision"] in (Decision.PAUSE, Decision.STOP):
            self.levels.add(resource)


@dataclass
class RecordingBoard(Board):
    """A board that also keeps a record for plots."""

    record: Record = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.record = Record(self.state.objective)

    def apply(self, event: Event) -> None:
        """Update the record and the board with the next event."""
        self.record.apply(event, self.state)
        super().apply(event)


@dataclass(frozen=True, eq=False)
class FollowedExperiment:
    """A followed experiment at one moment; plots accept it in place of an `Experiment`."""

    directory: Path
    config: ExperimentConfig
    metadata: Mapping[str, Any]
    state: ExperimentState
    record: Record


Subject = Experiment | FollowedExperiment
"""Experiment that a plot shows: a loaded or a followed one."""


@lru_cache(maxsize=1)  # cached: several charts of a page use the same record
def _read(experiment: Experiment) -> Record:
    state = ExperimentState(experiment.state.objective)
    record = Record(state.objective)
    for event in experiment.events:
        record.apply(event, state)
        if event.kind != Kind.REPORTED:  # reports neither begin nor end an attempt
            state.apply(event)
    return record


def record_of(subject: Subject) -> Record:
    """Return the record of a loaded or followed experiment."""
    return subject.record if isinstance(subject, FollowedExperiment) else _read(subject)
