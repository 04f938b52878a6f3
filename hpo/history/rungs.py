"""The rung board: the number of trials at each rung, promotions, and what comes next, computed from events."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from hpo.config.choices import WarmStartUse
from hpo.config.schema import ExperimentConfig
from hpo.events.state import ExperimentState
from hpo.events.steering import stopped_trial
from hpo.events.types import Decision, Event, Kind, Resume, Status
from hpo.schedulers.asha import ASHA
from hpo.schedulers.construction import scheduler_for_inspection
from hpo.schedulers.rungs import Rung, make_rungs, next_level

RECENT = 5
"""Number of latest promotions that are kept."""


@dataclass(frozen=True, slots=True)
class RungRow:
    """The counts of one rung; the last row of a board is the maximum resource."""

    level: int
    reached: int
    """Number of trials with a result at this rung."""
    waiting: int
    """Number of trials paused at this rung."""
    promoted: int
    """Number of trials resumed from this rung."""
    stopped: int
    """Number of trials stopped at this rung."""
    running: int
    """Number of trials that are training towards this rung."""
    best: float | None
    """Lowest loss at this rung among results that meet the constraints."""


@dataclass
class _Tally:
    reached: int = 0
    promoted: int = 0
    stopped: int = 0
    best: float | None = None


@dataclass
class RungBoard:
    """The rungs of one experiment.

    Args:
        levels: Resources of the rungs, ascending; empty for methods without rungs.
        maximum: Resource of a complete trial.
        promotes: Whether trials pause at rungs and are resumed from there.
        predictable: Whether the next promotion follows from the results at the rungs alone.
    """

    levels: Sequence[int]
    maximum: int | None
    promotes: bool = False
    predictable: bool = False
    promotions: deque[tuple[float, int, int, int | None]] = field(default_factory=lambda: deque(maxlen=RECENT))
    """Latest promotions as (elapsed, trial, from, to)."""
    _rungs: list[Rung] = field(default_factory=list)
    _tallies: dict[int, _Tally] = field(default_factory=dict)
    _reached: dict[int, int] = field(default_factory=dict)
    """Number of `steps` that each trial has passed."""

    steps: Sequence[int] = field(init=False)
    """Resources of the rungs, and the maximum."""

    def __post_init__(self) -> None:
        self.steps = [*self.levels, self.maximum] if self.levels and self.maximum is not None else []
        if self.levels and self.maximum is not None:
            self._rungs = make_rungs(self.levels, self.maximum)
        self._tallies = {level: _Tally() for level in self.steps}

    def apply(self, event: Event, state: ExperimentState) -> None:
        """Update the board with an event that `state` has already been updated with."""
        if not self._rungs or event.trial is None:
            return
        match event.kind:
            case Kind.STARTED:
                first = event.body["until"]
                skipped = self.promotes and first in self.steps
                self._reached[event.trial] = self.steps.index(first) if skipped else 0
            case Kind.REPORTED:
                self._reported(event, state)
            case Kind.RESUMED:
                self._resumed(event)
            case Kind.ENDED if event.body["status"] in (Status.COMPLETED, Status.FAILED, Status.TIMEOUT):
                self._leave(event.trial)
            case Kind.COMMANDED if stopped_trial(event) is not None:
                self._leave(event.trial)

    def _leave(self, trial_id: int) -> None:
        """Exclude a trial from promotion; its results stay in the counts."""
        for rung in self._rungs:
            rung.remove(trial_id)

    def _reported(self, event: Event, state: ExperimentState) -> None:
        steps, done = self.steps, self._reached[event.trial_id]
        decision = event.body["decision"]
        while done < len(steps) and event.reached >= steps[done]:
            tally = self._tallies[steps[done]]
            outcome = state.objective.outcome(event.body["metrics"], event.reached)
            tally.reached += 1
            if outcome.violation == 0:
                tally.best = outcome.loss if tally.best is None else min(tally.best, outcome.loss)
            if done < len(self._rungs):
                rung = self._rungs[done]
                if decision == Decision.PAUSE:
                    rung.record_waiting(event.trial_id, outcome.order)
                else:
                    rung.record(event.trial_id, outcome.order)
            done += 1
            if self.promotes and decision == Decision.PAUSE:
                break  # a report that skips a rung counts for the one the trial was sent to
        if done > self._reached[event.trial_id] and decision == Decision.STOP and done < len(steps):
            self._tallies[steps[done - 1]].stopped += 1
        self._reached[event.trial_id] = done

    def _resumed(self, event: Event) -> None:
        done = self._reached[event.trial_id]
        if 0 < done <= len(self._rungs):
            rung = self._rungs[done - 1]
            rung.remove(event.trial_id)
            self._tallies[rung.level].promoted += 1
            self.promotions.append((event.elapsed, event.trial_id, rung.level, event.body["until"]))

    def rows(self, state: ExperimentState) -> list[RungRow]:
        """Return one row per rung and one for the maximum resource."""
        running = Counter(self._reached.get(trial_id) for trial_id in state.running)
        rows = []
        for index, level in enumerate(self.steps):
            tally = self._tallies[level]
            waiting = len(self._rungs[index].waiting) if index < len(self._rungs) else 0
            rows.append(
                RungRow(level, tally.reached, waiting, tally.promoted, tally.stopped, running[index], tally.best)
            )
        return rows

    def next_promotion(self) -> Resume | None:
        """Return the promotion that a free worker would run now; None if there is none or it cannot be predicted."""
        if not self.predictable or self.maximum is None:
            return None
        for rung in reversed(self._rungs):
            if (trial_id := rung.promotable()) is not None:
                return Resume(trial_id, next_level(self.levels, rung.level, self.maximum))
        return None


def rung_board(config: ExperimentConfig) -> RungBoard:
    """Return the empty board of an experiment; it has no rungs if the scheduler is not hpo's own."""
    scheduler = scheduler_for_inspection(config)
    if scheduler is None:
        return RungBoard([], None)
    apart = config.method.scheduler.get("rung_system_per_bracket", False)
    predictable = type(scheduler) is ASHA and not apart and config.warm_start_use != WarmStartUse.hurdle
    return RungBoard(scheduler.levels, scheduler.max_resource, scheduler.capabilities.pauses, predictable)
