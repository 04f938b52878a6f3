"""Synchronous successive halving and Hyperband, without idle workers.

Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization" (JMLR 18, 2018), Algorithm 1, with a
trial per worker: while a rung waits for its last trials, free workers begin the next bracket.
"""

from hpo.events.outcome import ReportOutcome
from hpo.events.values import Configuration, Decision, Resume, Start, Suggestion, Trial
from hpo.schedulers.bracket import Bracket, bracket_sizes
from hpo.schedulers.halving import Halving
from hpo.searchers.base import Searcher


class SynchronousHyperband(Halving):
    """Every trial pauses at its next rung; when all trials of a rung are done, the best of them go on.

    Brackets follow one another, each leaving out one more of the lowest rungs, and begin again after the last. When no
    new trial may start, a rung that has not filled is closed with the trials it has. Scripts should write checkpoints.

    Args:
        searcher: where new configurations come from.
        max_resource: the resource R at which a trial is complete.
        min_resource: the lowest rung.
        reduction_factor: η, the ratio of one rung to the one below.
        brackets: how many kinds there are; None takes as many as there are levels, 1 is successive halving.

    Raises:
        ConfigError: an argument leaves no rungs or brackets.
    """

    pauses = True

    def __init__(
        self,
        searcher: Searcher,
        *,
        max_resource: int | None,
        min_resource: int = 1,
        reduction_factor: float = 3,
        brackets: int | None = None,
    ) -> None:
        super().__init__(
            searcher,
            max_resource=max_resource,
            min_resource=min_resource,
            reduction_factor=reduction_factor,
            brackets=brackets,
        )
        self._opened = 0
        self._open: list[Bracket] = []  # those with something to come, oldest first
        self._of_trial: dict[int, Bracket] = {}
        self._unnumbered: list[Bracket] = []  # of accepted starts that have no trial id yet

    def propose(self, *, new_trials: bool = True) -> Suggestion | None:
        """A trial that may go on, of the oldest bracket with one; else a new trial; else what closing a rung frees."""
        for bracket in self._open:
            if (trial_id := bracket.next()) is not None:
                return Resume(trial_id, bracket.resource)
        configuration = self.searcher.propose() if new_trials else None
        if configuration is not None:
            return self.start_of(configuration)
        for bracket in self._open:
            if (found := bracket.next_if_closed()) is not None:
                return Resume(*found)
        return None

    def start_of(self, configuration: Configuration) -> Start:
        """Towards the first rung of the bracket that has room for it."""
        return Start(configuration, (self._filling() or self._following()).resource)

    def _filling(self) -> Bracket | None:
        return next((bracket for bracket in self._open if bracket.has_room), None)

    def _following(self) -> Bracket:
        skipped = self._opened % self.brackets
        return Bracket(self.steps[skipped:], bracket_sizes(self.steps, skipped))

    def accept(self, suggestion: Suggestion) -> None:
        """Keep a place for a start."""
        super().accept(suggestion)
        if isinstance(suggestion, Start):
            bracket = self._filling()
            if bracket is None:
                bracket = self._following()
                self._open.append(bracket)
                self._opened += 1
            bracket.reserve()
            self._unnumbered.append(bracket)

    def on_start(self, trial: Trial) -> None:
        """It takes its place."""
        bracket = self._unnumbered.pop(0)
        bracket.begin(trial.id)
        self._of_trial[trial.id] = bracket
        self._configurations[trial.id] = trial.configuration
        self.searcher.on_pending(trial.configuration, bracket.resource)

    def _on_resume(self, resume: Resume) -> None:
        self._of_trial[resume.trial_id].resume(resume.trial_id)
        self.searcher.on_pending(self._configurations[resume.trial_id], resume.until or self.maximum)

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """PAUSE at the rung the trial was sent to, STOP at the maximum, else CONTINUE."""
        self.searcher.on_report(trial.configuration, resource)
        bracket = self._of_trial[trial.id]
        target = bracket.resource
        if resource < target:
            return Decision.CONTINUE
        self.searcher.on_outcome(trial.configuration, target, outcome)
        bracket.record(trial.id, outcome.order)
        self._forget_ended(bracket)
        return Decision.STOP if target >= self.maximum else Decision.PAUSE

    def _leave(self, trial: Trial) -> None:
        """It never goes on; its place counts as taken."""
        bracket = self._of_trial[trial.id]
        bracket.lose(trial.id)
        self._forget_ended(bracket)

    def _forget_ended(self, bracket: Bracket) -> None:
        if bracket.is_over and bracket in self._open:
            self._open.remove(bracket)
