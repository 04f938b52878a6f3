"""First in, first out: every trial runs to its end."""

from hpo.events.outcome import ReportOutcome
from hpo.events.values import Decision, Suggestion, Trial
from hpo.schedulers.base import OutcomeScheduler
from hpo.searchers.base import Searcher


class FIFO(OutcomeScheduler):
    """Starts what the searcher proposes; the searcher learns a trial's last result when the trial completes."""

    takes_objectives = True
    completes = True

    def __init__(self, searcher: Searcher, *, max_resource: int | None = None) -> None:
        super().__init__(searcher, max_resource=max_resource)
        self._last: dict[int, tuple[int, ReportOutcome]] = {}

    def propose(self, *, new_trials: bool = True) -> Suggestion | None:
        """A new trial to the maximum resource."""
        configuration = self.searcher.propose() if new_trials else None
        return None if configuration is None else self.start_of(configuration)

    def on_start(self, trial: Trial) -> None:
        """The searcher hears that a result at the maximum will follow."""
        self.searcher.on_pending(trial.configuration, self.max_resource or 1)

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """Always CONTINUE."""
        self.searcher.on_report(trial.configuration, resource)
        self._last[trial.id] = resource, outcome
        return Decision.CONTINUE

    def on_complete(self, trial: Trial) -> None:
        """The last result reaches the searcher."""
        if trial.id in self._last:
            self.searcher.on_outcome(trial.configuration, *self._last.pop(trial.id))
        super().on_complete(trial)

    def on_error(self, trial: Trial) -> None:
        """A failed trial's reports do not count."""
        self._last.pop(trial.id, None)
        super().on_error(trial)
