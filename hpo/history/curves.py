"""The history of one experiment for plots and tables: learning curves, attempts on workers, rungs. Pure functions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from hpo.events.types import Status
from hpo.history.record import AttemptSpan, Subject, record_of
from hpo.history.rungs import rung_board
from hpo.history.trajectories import Trajectory


def outcome(status: str) -> str:
    """Return a trial's status as figures show it, with `timeout` merged into `failed`."""
    return "failed" if status == "timeout" else status


@dataclass(frozen=True, slots=True)
class Curve:
    """The learning curve of one trial: its reports in the order of the log."""

    trial: int
    outcome: str
    resources: Sequence[int]
    values: Sequence[float]
    """Metric value of each report; nan if it is not finite."""
    elapsed: Sequence[float]
    feasible: Sequence[bool]
    """Whether each report meets the constraints."""
    losses: Sequence[tuple[float, ...]]
    """Losses of each report, one per objective; empty for one objective."""
    moment: float
    """Elapsed seconds at the last report, or the cost of all trials by then if the benchmark names a cost."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """All attempts of an experiment, with the time that its workers had."""

    attempts: Sequence[AttemptSpan]
    workers: int
    elapsed: float
    available: float
    """Available worker seconds."""

    @property
    def busy(self) -> float:
        """The worker seconds that attempts used."""
        return math.fsum(attempt.end - attempt.start for attempt in self.attempts)

    @property
    def utilisation(self) -> float:
        """The share of the available worker seconds that attempts used; nan before anything ran."""
        return self.busy / self.available if self.available > 0 else math.nan


@dataclass(frozen=True, slots=True)
class RungCount:
    """The number of trials that reached a resource level, and their later fates."""

    level: int
    reached: int
    went_on: int
    """Number of trials that were promoted or continued beyond this level."""
    waiting: int
    """Number of trials that are paused at this level."""
    ended: int
    """Number of the other trials: completed, stopped or failed at this level, or still running."""


def trajectory(experiment: Subject) -> Trajectory:
    """Return the improvements of the incumbent over time, or over cost if the benchmark names one."""
    return Trajectory.of(record_of(experiment).improvements)


@lru_cache(maxsize=1)  # cached: several charts of a page use the same record
def curves(experiment: Subject) -> Sequence[Curve]:
    """Return one learning curve per trial that has reported, by trial id."""
    states = experiment.state.trials
    return tuple(
        Curve(
            trial=trial,
            outcome=outcome(states[trial].status.value),
            resources=found.resources,
            values=found.values,
            elapsed=found.elapsed,
            feasible=found.feasible,
            losses=found.losses,
            moment=found.moment,
        )
        for trial, found in sorted(record_of(experiment).of_trial.items())
    )


@lru_cache(maxsize=1)
def timeline(experiment: Subject) -> Timeline:
    """Return when each attempt ran, and on which worker."""
    elapsed, state = experiment.state.elapsed, experiment.state
    running = [AttemptSpan.of(trial, elapsed, "running") for trial in state.running.values()]
    attempts = [*record_of(experiment).attempts, *running]
    attempts.sort(key=lambda attempt: (attempt.start, attempt.end, attempt.trial))
    n_workers = experiment.config.n_workers or 1
    return Timeline(attempts, n_workers, elapsed, state.available_seconds(n_workers))


def rungs(experiment: Subject) -> list[RungCount]:
    """Return how many trials reached, passed, wait at or ended at each resource level, the lowest level first.

    A level is a resource at which trials are compared, were paused or stopped, or up to which they train: the rungs of
    hpo's own schedulers, even those at which no trial has stopped yet, and any level in the log. A method that never
    stops a trial has one.
    """
    record = record_of(experiment)
    levels = {*rung_board(experiment.config).steps, *record.levels}
    top, goal = record.top, record.goal
    states = experiment.state.trials
    halted = {t for t, s in states.items() if s.status in (Status.STOPPED, Status.COMPLETED, Status.PAUSED)}
    beyond = {t: max(resource, 0 if t in halted else goal.get(t, 0)) for t, resource in top.items()}
    counted = []
    for level in sorted(levels):
        reached = [trial for trial, resource in top.items() if states[trial].base < level <= resource]
        on = {trial for trial in reached if beyond[trial] > level}  # beyond the level, or on the way there
        waiting = sum(states[trial].status == Status.PAUSED for trial in reached if trial not in on)
        counted.append(RungCount(level, len(reached), len(on), waiting, len(reached) - len(on) - waiting))
    return counted
