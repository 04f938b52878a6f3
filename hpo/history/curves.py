"""What happened in one experiment, as figures and tables need it: curves, attempts on workers, rungs. Pure functions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from hpo.events.values import Status
from hpo.history.record import AttemptSpan, Subject, record_of
from hpo.history.rungs import rung_board
from hpo.history.trajectories import Trajectory


def outcome(status: str) -> str:
    """How figures colour a status: timeouts count as failed."""
    return "failed" if status == "timeout" else status


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
    losses: Sequence[tuple[float, ...]]
    """One per objective, where there are several."""
    moment: float
    """Of the last report: elapsed seconds, or what all trials had cost by then where a cost is named."""


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


def trajectory(experiment: Subject) -> Trajectory:
    """The incumbent's improvements, over time, or over cost where one is named."""
    return Trajectory.of(record_of(experiment).improvements)


@lru_cache(maxsize=1)  # several charts of a page show the same
def curves(experiment: Subject) -> Sequence[Curve]:
    """One per trial that has reported, by trial id."""
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
    """When each attempt ran, and on which worker."""
    elapsed, state = experiment.state.elapsed, experiment.state
    running = [AttemptSpan.of(trial, elapsed, "running") for trial in state.running.values()]
    attempts = [*record_of(experiment).attempts, *running]
    attempts.sort(key=lambda attempt: (attempt.start, attempt.end, attempt.trial))
    n_workers = experiment.config.n_workers or 1
    return Timeline(attempts, n_workers, elapsed, state.available_seconds(n_workers))


def rungs(experiment: Subject) -> list[RungCount]:
    """The levels at which trials are compared, were paused or stopped, or to which they were sent, the lowest first.

    hpo's own schedulers have their rungs, also those at which no trial was stopped yet; any has those that the log knows. A
    method that never stops a trial has one level.
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
        on = {
            trial for trial in reached if beyond[trial] > level
        }  # it reported beyond, or is, or ended, on its way there
        waiting = sum(states[trial].status == Status.PAUSED for trial in reached if trial not in on)
        counted.append(RungCount(level, len(reached), len(on), waiting, len(reached) - len(on) - waiting))
    return counted
