"""What happened in one experiment, as figures and tables need it: curves, attempts on workers, rungs. Pure functions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from hpo.events.state import ExperimentState, TrialState
from hpo.events.values import Decision, Kind, Status
from hpo.history.rungs import rung_board
from hpo.history.trajectories import Trajectory
from hpo.results.experiment import Experiment


def outcome(status: str) -> str:
    """Timeouts count as failed, interrupted trials as paused: they can go on."""
    return {"timeout": "failed", "interrupted": "paused"}.get(status, status)


@dataclass(frozen=True, slots=True)
class Curve:
    """The reports of one trial, in the order of the log."""

    trial: int
    outcome: str
    resources: Sequence[int]
    values: Sequence[float]
    """The metric; nan where it is not finite."""
    elapsed: Sequence[float]
    feasible: Sequence[bool]
    """Which reports meet the constraints."""


@dataclass(frozen=True, slots=True)
class AttemptSpan:
    """One run of a trial's program, in seconds of the experiment."""

    trial: int
    number: int
    start: float
    end: float
    status: str
    """How it ended; `running` where it has not."""
    lane: int
    """The worker, numbered from 0: the lowest that was free when the attempt began."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """All attempts, and how busy the workers were."""

    attempts: Sequence[AttemptSpan]
    workers: int
    elapsed: float
    available: float
    """Worker seconds there were."""

    @property
    def busy(self) -> float:
        """Worker seconds of all attempts."""
        return math.fsum(attempt.end - attempt.start for attempt in self.attempts)

    @property
    def utilisation(self) -> float:
        """Busy over available worker seconds; nan before anything ran."""
        return self.busy / self.available if self.available > 0 else math.nan


@dataclass(frozen=True, slots=True)
class RungCount:
    """What became of the trials that reached one resource level."""

    level: int
    reached: int
    went_on: int
    """Promoted, or let pass: resumed beyond this level, or reported beyond it."""
    waiting: int
    """Paused here."""
    ended: int
    """Completed, stopped or failed here, or still on their way."""


def trajectory(experiment: Experiment) -> Trajectory:
    """The incumbent's improvements."""
    objective = experiment.state.objective
    return Trajectory.of(
        (event.elapsed, objective.merit(event.body["metrics"], event.reached))
        for event in experiment.events
        if event.kind == Kind.REPORTED
    )


@lru_cache(maxsize=1)  # several charts of a page show the same
def curves(experiment: Experiment) -> Sequence[Curve]:
    """One per trial that has reported, by trial id."""
    objective, states = experiment.state.objective, experiment.state.trials
    columns: dict[int, tuple[list[int], list[float], list[float], list[bool]]] = {}
    for event in experiment.events:
        if event.kind != Kind.REPORTED or event.trial is None or event.resource is None:
            continue
        resources, values, elapsed, feasible = columns.setdefault(event.trial, ([], [], [], []))
        found = objective.outcome(event.body["metrics"], event.resource)
        resources.append(event.resource)
        values.append(objective.value(found.loss) if math.isfinite(found.loss) else math.nan)
        elapsed.append(event.elapsed)
        feasible.append(found.feasible)
    return tuple(Curve(trial, outcome(states[trial].status.value), *columns[trial]) for trial in sorted(columns))


@lru_cache(maxsize=1)
def timeline(experiment: Experiment) -> Timeline:
    """When each attempt ran, and on which worker."""
    state = ExperimentState(experiment.state.objective)
    attempts: list[AttemptSpan] = []

    def add(trial: TrialState, end: float, status: str) -> None:
        attempts.append(AttemptSpan(trial.trial.id, trial.attempt, trial.began, end, status, trial.worker))

    for event in experiment.events:
        if event.kind == Kind.ENDED:
            add(state.trials[event.trial_id], event.elapsed, str(event.body["status"]))
        if event.kind != Kind.REPORTED:  # no attempt begins or ends by a report
            state.apply(event)
    elapsed = experiment.state.elapsed
    for trial in state.running.values():
        add(trial, elapsed, "running")
    attempts.sort(key=lambda attempt: (attempt.start, attempt.end, attempt.trial))
    n_workers = experiment.config.n_workers or 1
    return Timeline(attempts, n_workers, elapsed, experiment.state.available_seconds(n_workers))


def rungs(experiment: Experiment) -> list[RungCount]:
    """The levels at which trials are compared, were paused or stopped, or to which they were sent, the lowest first.

    hpo's own schedulers have their rungs, also those at which no trial was stopped yet; any has those that the log knows. A
    method that never stops a trial has one level.
    """
    levels = set(rung_board(experiment.config).steps)
    top: dict[int, int] = {}
    goal: dict[int, int] = {}
    for event in experiment.events:
        trial = event.trial
        if trial is None:
            continue
        if event.kind in (Kind.STARTED, Kind.RESUMED, Kind.RESTARTED):
            if (until := event.body.get("until")) is not None:
                levels.add(until)
                goal[trial] = max(until, goal.get(trial, 0))
        elif event.kind == Kind.REPORTED and event.resource is not None:
            top[trial] = max(event.resource, top.get(trial, 0))
            if event.body["decision"] in (Decision.PAUSE, Decision.STOP):
                levels.add(event.resource)
    states = experiment.state.trials
    halted = {t for t, s in states.items() if s.status in (Status.STOPPED, Status.COMPLETED, Status.PAUSED)}
    beyond = {t: max(resource, 0 if t in halted else goal.get(t, 0)) for t, resource in top.items()}
    counted = []
    for level in sorted(levels):
        reached = [trial for trial, resource in top.items() if resource >= level]
        on = {
            trial for trial in reached if beyond[trial] > level
        }  # it reported beyond, or is, or ended, on its way there
        waiting = sum(states[trial].status == Status.PAUSED for trial in reached if trial not in on)
        counted.append(RungCount(level, len(reached), len(on), waiting, len(reached) - len(on) - waiting))
    return counted
