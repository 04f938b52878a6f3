"""Synchronous successive halving and Hyperband, without idle workers.

Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization" (JMLR 18, 2018), Algorithm 1, with one
trial per worker. While a rung waits for its last trials, free workers begin the next bracket.
"""

from hpo.events.outcome import ReportOutcome
from hpo.events.types import Configuration, Decision, Resume, Start, Suggestion, Trial
from hpo.schedulers.bracket import Bracket, bracket_sizes
from hpo.schedulers.capabilities import SchedulerCapabilities
from hpo.schedulers.halving import Halving
from hpo.searchers.base import Searcher


class SynchronousHyperband(Halving):
    """Synchronous Hyperband: when all trials of a rung have finished, the best of them are promoted to the next.

    Each bracket skips one more of the lowest rungs than the one before; after the last bracket they begin again. If no
    new trial may start, a rung that is not full is closed with the trials that it has. Scripts should save checkpoints.

    Args:
        searcher: Searcher that proposes configurations for new trials.
        max_resource: Resource R at which a trial is complete.
        min_resource: Resource of the lowest rung.
        reduction_factor: Ratio η of each rung's resource to that of the rung below.
        brackets: Number of different brackets; 1 for successive halving, None for as many as possible.

    Raises:
        ConfigError: The arguments leave no rung or no bracket.
    """

    capabilities = SchedulerCapabilities(pauses=True, constraints=True, violations="ranked")

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
        self._open: list[Bracket] = []  # unfinished brackets, oldest first
        self._of_trial: dict[int, Bracket] = {}
        self._unnumbered: list[Bracket] = []  # of accepted starts that have no trial id yet

    def propose(self, *, new_trials: bool = True) -> Suggestion | None:
        """Return a promotion in the oldest bracket that has one, else a new trial, else a promotion from an unfilled rung."""
        for bracket in self._open:
            if (trial_id := bracket.next()) is not None:
                return Resume(trial_id, bracket.resource)
        configuration = self.searcher.propose() if new_trials else None
        if configuration is not None:
            return self.make_start(configuration)
        for bracket in self._open:
            if (found := bracket.next_if_closed()) is not None:
                return Resume(*found)
        return None

    def make_start(self, configuration: Configuration) -> Start:
        """Return the start of a new trial that trains up to the first rung of the bracket that has room for it."""
        return Start(configuration, (self._filling() or self._following()).resource)

    def _filling(self) -> Bracket | None:
        return next((bracket for bracket in self._open if bracket.has_room), None)

    def _following(self) -> Bracket:
        skipped = self._opened % self.brackets
        return Bracket(self.steps[skipped:], bracket_sizes(self.steps, skipped))

    def accept(self, suggestion: Suggestion) -> None:
        """Record an accepted suggestion; for a new trial, reserve room in a bracket."""
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
        """Record that a trial has started in the bracket that has room reserved for it."""
        bracket = self._unnumbered.pop(0)
        bracket.begin(trial.id)
        self._of_trial[trial.id] = bracket
        self._configurations[trial.id] = trial.configuration
        self.searcher.on_pending(trial.configuration, bracket.resource)

    def _on_resume(self, resume: Resume) -> None:
        self._of_trial[resume.trial_id].resume(resume.trial_id)
        self.searcher.on_pending(self._configurations[resume.trial_id], resume.until or self.maximum)

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """Return PAUSE at the trial's next rung, STOP at the maximum resource, else CONTINUE."""
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
        """Withdraw a trial from promotion; its place in the bracket stays taken."""
        bracket = self._of_trial[trial.id]
        bracket.lose(trial.id)
        self._forget_ended(bracket)

    def _forget_ended(self, bracket: Bracket) -> None:
        if bracket.is_over and bracket in self._open:
            self._open.remove(bracket)
