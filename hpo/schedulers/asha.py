"""Asynchronous successive halving, promotion and stopping type, with one bracket (ASHA) or several (Hyperband).

Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020); brackets as in asynchronous Hyperband
(Klein et al., "Model-based Asynchronous Hyperparameter and Neural Architecture Search", 2020, section 3.1).
"""

from collections.abc import Sequence

from hpo.events.outcome import ReportOutcome
from hpo.events.values import Configuration, Decision, Resume, Start, Suggestion, Trial
from hpo.randomness import Randomness, canonical
from hpo.schedulers.halving import Halving
from hpo.schedulers.rungs import Rung, bracket_probabilities, make_rungs, next_level
from hpo.searchers.base import Searcher
from hpo.searchers.random import RandomSearcher


class _Asynchronous(Halving):
    """Rungs and brackets that both types share.

    Args:
        searcher: where new configurations come from.
        max_resource: the resource R at which a trial is complete.
        randomness: decides the bracket of each new trial.
        min_resource: the lowest rung.
        reduction_factor: η, the ratio of one rung to the one below.
        brackets: bracket s skips the s lowest rungs; None takes as many as there are levels.
        rung_system_per_bracket: False lets the trials of all brackets meet in the same rungs.

    Raises:
        ConfigError: an argument leaves no rungs or brackets.
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
        self._reached: dict[int, int] = {}  # the last level of each trial
        self._setting: frozenset[str] = frozenset()  # configurations that set hurdles
        self._setters: set[int] = set()  # their trials

    def set_hurdles(self, configurations: Sequence[Configuration]) -> None:
        """See `Scheduler`."""
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
        """Count a start and remember its bracket."""
        super().accept(suggestion)
        if isinstance(suggestion, Start):
            self._unnumbered.append(self._bracket_of(suggestion))
            self._starts += 1

    def _bracket_of(self, start: Start) -> int:
        """The bracket an accepted start was drawn for."""
        return self._draw_bracket()

    def on_start(self, trial: Trial) -> None:
        """The bracket drawn for it now belongs to this trial."""
        bracket = self._unnumbered.pop(0) if self._unnumbered else 0
        self._bracket[trial.id] = bracket
        self._reached[trial.id] = 0
        self._configurations[trial.id] = trial.configuration
        if self._setting and canonical(trial.configuration) in self._setting:
            self._setters.add(trial.id)
        self.searcher.on_pending(trial.configuration, self.steps[bracket])

    def _target(self, trial_id: int) -> int:
        """The level the trial is on its way to."""
        reached, bracket = self._reached[trial_id], self._bracket[trial_id]
        return next_level(self.levels, reached, self.maximum) if reached else self.steps[bracket]

    def _raise_hurdle(self, trial_id: int, rung: Rung, outcome: ReportOutcome) -> Rung:
        """The rung, after what a trial that sets hurdles has done there."""
        if trial_id in self._setters:
            rung.raise_hurdle(trial_id, outcome.order)
        return rung

    def _rung_at(self, trial_id: int, level: int) -> Rung:
        return self._rungs[self._bracket[trial_id] if len(self._rungs) > 1 else 0][level]


class ASHA(_Asynchronous):
    """Promotion type: every trial pauses at its next rung; a free worker resumes the best one that may go on.

    From the top rung down, the best trial waiting in a rung is promoted when it is within the rung's cut-off.
    Where there is none, a new trial starts. Scripts should write checkpoints.
    """

    pauses = True
    takes_hurdles = True

    @property
    def cap(self) -> int:
        """No trial is sent further."""
        return self.maximum

    @property
    def unpausing(self) -> str:
        """The stopping type, or what is recommended in place of a method with a model."""
        name = "ASHA-STOP" if type(self.searcher) is RandomSearcher else "BO-MEDIAN"
        return f'method="{name}", which never pauses trials'

    def propose(self, *, new_trials: bool = True) -> Suggestion | None:
        """A promotion if there is one, else a new trial."""
        for system in self._systems:
            for rung in reversed(system):
                if rung.level < self.cap and (trial_id := rung.promotable()) is not None:
                    return Resume(trial_id, next_level(self.levels, rung.level, self.maximum))
        configuration = self.searcher.propose() if new_trials else None
        return None if configuration is None else self.start_of(configuration)

    def start_of(self, configuration: Configuration) -> Start:
        """Towards the first rung of the bracket drawn for it."""
        return Start(configuration, self.steps[self._draw_bracket()])

    def _bracket_of(self, start: Start) -> int:
        return self.steps.index(start.until or self.maximum)

    def _on_resume(self, resume: Resume) -> None:
        self._rung_at(resume.trial_id, self._reached[resume.trial_id]).remove(resume.trial_id)
        self.searcher.on_pending(self._configurations[resume.trial_id], resume.until or self.maximum)

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """PAUSE at the level the trial was sent to, or the highest it has passed, STOP at the maximum, else CONTINUE."""
        self.searcher.on_report(trial.configuration, resource)
        target = self._target(trial.id)
        if resource < target:
            return Decision.CONTINUE
        while target < self.maximum and (above := next_level(self.levels, target, self.maximum)) <= resource:
            rung = self._raise_hurdle(trial.id, self._rung_at(trial.id, target), outcome)
            rung.record(trial.id, outcome.order)  # passed by a script that reports seldom
            target = above
        self.searcher.on_outcome(trial.configuration, target, outcome)
        self._reached[trial.id] = target
        if target >= self.maximum:
            return Decision.STOP
        self._raise_hurdle(trial.id, self._rung_at(trial.id, target), outcome).park(trial.id, outcome.order)
        return Decision.PAUSE

    def _leave(self, trial: Trial) -> None:
        """It is never promoted; its results stay in the rungs."""
        level = self._reached[trial.id]
        if 0 < level < self.maximum:
            self._rung_at(trial.id, level).remove(trial.id)


class StoppingASHA(_Asynchronous):
    """Stopping type: a trial that is not within the cut-off of a rung when it gets there is stopped.

    Nothing is ever resumed, so that scripts need no checkpoints; the first trial at a rung always goes on.
    """

    takes_hurdles = True

    def propose(self, *, new_trials: bool = True) -> Suggestion | None:
        """A new trial, on its way to the maximum."""
        configuration = self.searcher.propose() if new_trials else None
        return None if configuration is None else self.start_of(configuration)

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """STOP below the cut-off of a rung and at the maximum, else CONTINUE."""
        self.searcher.on_report(trial.configuration, resource)
        decision = Decision.CONTINUE
        while decision == Decision.CONTINUE and resource >= (target := self._target(trial.id)):
            self._reached[trial.id] = target
            self.searcher.on_outcome(trial.configuration, target, outcome)
            if target >= self.maximum:
                return Decision.STOP
            rung = self._raise_hurdle(trial.id, self._rung_at(trial.id, target), outcome)
            rung.record(trial.id, outcome.order)
            if not (rung.clears(trial.id, outcome.order) and rung.passes(outcome.order)):
                decision = Decision.STOP
            else:
                self.searcher.on_pending(trial.configuration, self._target(trial.id))
        return decision
