"""Asynchronous successive halving, promotion and stopping type, with one bracket (ASHA) or several (Hyperband).

Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020); brackets as in asynchronous Hyperband
(Klein et al., "Model-based Asynchronous Hyperparameter and Neural Architecture Search", 2020, section 3.1).
"""

from collections.abc import Sequence

from hpo.events.outcome import ReportOutcome
from hpo.events.types import Configuration, Decision, Resume, Start, Suggestion, Trial
from hpo.randomness import Randomness, canonical
from hpo.schedulers.capabilities import SchedulerCapabilities
from hpo.schedulers.halving import Halving
from hpo.schedulers.rungs import Rung, bracket_probabilities, make_rungs, next_level
from hpo.searchers.base import Searcher
from hpo.searchers.random import RandomSearcher


class _Asynchronous(Halving):
    """Base class of both types of ASHA: the rungs, the brackets, and the random choice of a bracket for each new trial.

    Args:
        searcher: Searcher that proposes configurations for new trials.
        max_resource: Resource R at which a trial is complete.
        randomness: Source of the random choice of a bracket for each new trial.
        min_resource: Resource of the lowest rung.
        reduction_factor: Ratio η of each rung's resource to that of the rung below.
        brackets: Number of brackets, of which bracket s skips the s lowest rungs; None for as many as possible.
        rung_system_per_bracket: Whether trials compete only within their bracket; if false, all brackets share their rungs.

    Raises:
        ConfigError: The arguments leave no rung or no bracket.
    """

    def __init__(
        self,
        searcher: Searcher,
        *,
        max_resource: int | None,
        randomness: Randomness,
        min_resource: int = 1,
        reduction_factor: float = 3,
        brackets: int | None = 1,
        rung_system_per_bracket: bool = False,
    ) -> None:
        super().__init__(
            searcher,
            max_resource=max_resource,
            min_resource=min_resource,
            reduction_factor=reduction_factor,
            brackets=brackets,
        )
        self.probabilities = bracket_probabilities(self.levels, self.maximum, self.brackets)
        systems = self.brackets if rung_system_per_bracket else 1
        self._systems = [self._make_rungs(self.levels[s:]) for s in range(systems)]
        self._rungs = [{rung.level: rung for rung in system} for system in self._systems]
        self._randomness = randomness
        self._starts = 0
        self._bracket: dict[int, int] = {}
        self._unnumbered: list[int] = []  # brackets of accepted starts that have no trial id yet
        self._reached: dict[int, int] = {}  # the highest rung that each trial has reached; 0 at first
        self._setting: frozenset[str] = frozenset()  # configurations that set hurdles
        self._setters: set[int] = set()  # trials of these configurations

    def set_hurdles(self, configurations: Sequence[Configuration]) -> None:
        """Set configurations whose results at each rung all other trials must beat to continue beyond it.

        Only for experiments of earlier versions with `warm_start_use=hurdle`.
        """
        self._setting = frozenset(map(canonical, configurations))

    def _make_rungs(self, levels: Sequence[int]) -> list[Rung]:
        return make_rungs(levels, self.maximum)

    def _draw_bracket(self) -> int:
        if len(self.probabilities) == 1:
            return 0
        starts = self.steps[: self.brackets]
        learned = self.searcher.bracket_weights(starts)
        rng = self._randomness.stream("bracket", self._starts)
        return int(rng.choice(len(starts), p=self.probabilities if learned is None else learned))

    def accept(self, suggestion: Suggestion) -> None:
        """Record an accepted suggestion; for a new trial, count it and remember its bracket."""
        super().accept(suggestion)
        if isinstance(suggestion, Start):
            self._unnumbered.append(self._bracket_of(suggestion))
            self._starts += 1

    def _bracket_of(self, start: Start) -> int:
        """Return the bracket that was drawn for an accepted start."""
        return self._draw_bracket()

    def on_start(self, trial: Trial) -> None:
        """Register a trial that has started, with the bracket that was drawn for it."""
        bracket = self._unnumbered.pop(0) if self._unnumbered else 0
        self._bracket[trial.id] = bracket
        self._reached[trial.id] = 0
        self._configurations[trial.id] = trial.configuration
        if self._setting and canonical(trial.configuration) in self._setting:
            self._setters.add(trial.id)
        self.searcher.on_pending(trial.configuration, self.steps[bracket])

    def _target(self, trial_id: int) -> int:
        """Return the resource of the next rung (or the maximum) that the trial is training towards."""
        reached, bracket = self._reached[trial_id], self._bracket[trial_id]
        return next_level(self.levels, reached, self.maximum) if reached else self.steps[bracket]

    def _raise_hurdle(self, trial_id: int, rung: Rung, outcome: ReportOutcome) -> Rung:
        """Return the rung, after raising its hurdle if this trial's configuration is one that others must beat."""
        if trial_id in self._setters:
            rung.raise_hurdle(trial_id, outcome.order)
        return rung

    def _rung_at(self, trial_id: int, level: int) -> Rung:
        return self._rungs[self._bracket[trial_id] if len(self._rungs) > 1 else 0][level]


class ASHA(_Asynchronous):
    """Asynchronous successive halving, promotion type: trials pause at their next rung, and the best ones are resumed.

    A free worker looks through the rungs from the top down. It resumes the best paused trial of the first rung in which that
    trial is within the cut-off, which is about the best fraction 1/η of the rung. If there is none, it starts a new trial.
    Scripts should save checkpoints.
    """

    capabilities = SchedulerCapabilities(pauses=True, constraints=True, violations="ranked")

    @property
    def cap(self) -> int:
        """The highest resource to which a trial is promoted."""
        return self.maximum

    @property
    def unpausing(self) -> str:
        """Advice to a user whose script saves no checkpoints: a method that stops trials instead of pausing them."""
        name = "ASHA-STOP" if type(self.searcher) is RandomSearcher else "BO-MEDIAN"
        return f'method="{name}", which never pauses trials'

    def propose(self, *, new_trials: bool = True) -> Suggestion | None:
        """Return a promotion if one is due, else a new trial."""
        for system in self._systems:
            for rung in reversed(system):
                if rung.level < self.cap and (trial_id := rung.promotable()) is not None:
                    return Resume(trial_id, next_level(self.levels, rung.level, self.maximum))
        return super().propose(new_trials=new_trials)

    def make_start(self, configuration: Configuration) -> Start:
        """Return the start of a new trial that trains up to the first rung of its bracket."""
        return Start(configuration, self.steps[self._draw_bracket()])

    def _bracket_of(self, start: Start) -> int:
        return self.steps.index(start.until or self.maximum)

    def _on_resume(self, resume: Resume) -> None:
        self._rung_at(resume.trial_id, self._reached[resume.trial_id]).remove(resume.trial_id)
        self.searcher.on_pending(self._configurations[resume.trial_id], resume.until or self.maximum)

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """Return PAUSE if the trial has reached or passed its next rung, STOP at the maximum resource, else CONTINUE."""
        self.searcher.on_report(trial.configuration, resource)
        target = self._target(trial.id)
        if resource < target:
            return Decision.CONTINUE
        while target < self.maximum and (above := next_level(self.levels, target, self.maximum)) <= resource:
            rung = self._raise_hurdle(trial.id, self._rung_at(trial.id, target), outcome)
            rung.record(trial.id, outcome.order)  # skipped by a script that reports rarely
            target = above
        self.searcher.on_outcome(trial.configuration, target, outcome)
        self._reached[trial.id] = target
        if target >= self.maximum:
            return Decision.STOP
        self._raise_hurdle(trial.id, self._rung_at(trial.id, target), outcome).record_waiting(trial.id, outcome.order)
        return Decision.PAUSE

    def _leave(self, trial: Trial) -> None:
        """Withdraw a trial from promotion; its results still count in the rungs."""
        level = self._reached[trial.id]
        if 0 < level < self.maximum:
            self._rung_at(trial.id, level).remove(trial.id)


class StoppingASHA(_Asynchronous):
    """Asynchronous successive halving, stopping type: a trial that is not among the best at a rung is stopped there.

    Nothing is resumed, so that scripts need no checkpoints. The first trial to reach a rung always continues.
    """

    capabilities = SchedulerCapabilities(constraints=True, violations="ranked")

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """Return STOP if the trial misses the cut-off of a rung or has reached the maximum resource, else CONTINUE."""
        self.searcher.on_report(trial.configuration, resource)
        decision = Decision.CONTINUE
        while decision == Decision.CONTINUE and resource >= (target := self._target(trial.id)):
            self._reached[trial.id] = target
            self.searcher.on_outcome(trial.configuration, target, outcome)
            if target >= self.maximum:
                return Decision.STOP
            rung = self._raise_hurdle(trial.id, self._rung_at(trial.id, target), outcome)
            rung.record(trial.id, outcome.order)
            if not (rung.clears_hurdle(trial.id, outcome.order) and rung.passes(outcome.order)):
                decision = Decision.STOP
            else:
                self.searcher.on_pending(trial.configuration, self._target(trial.id))
        return decision
