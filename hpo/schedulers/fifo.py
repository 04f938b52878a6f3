"""First in, first out: a scheduler that runs every trial to its end."""

from hpo.events.outcome import ReportOutcome
from hpo.events.types import Decision, Trial
from hpo.schedulers.base import OutcomeScheduler
from hpo.schedulers.capabilities import SchedulerCapabilities
from hpo.searchers.base import Searcher


class FIFO(OutcomeScheduler):
    """A scheduler that starts what the searcher proposes and stops no trial early.

    The searcher learns the last result of a trial when the trial completes.
    """

    capabilities = SchedulerCapabilities(completes=True, constraints=True, objectives=True)

    def __init__(self, searcher: Searcher, *, max_resource: int | None = None) -> None:
        super().__init__(searcher, max_resource=max_resource)
        self._last: dict[int, tuple[int, ReportOutcome]] = {}

    def on_start(self, trial: Trial) -> None:
        """Tell the searcher that a result of the trial at the maximum resource is pending."""
        self.searcher.on_pending(trial.configuration, self.max_resource or 1)

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """Remember the result as the trial's last one, and return CONTINUE."""
        self.searcher.on_report(trial.configuration, resource)
        self._last[trial.id] = resource, outcome
        return Decision.CONTINUE

    def on_complete(self, trial: Trial) -> None:
        """Pass the trial's last result to the searcher."""
        if trial.id in self._last:
            self.searcher.on_outcome(trial.configuration, *self._last.pop(trial.id))
        super().on_complete(trial)

    def on_error(self, trial: Trial) -> None:
        """Discard the reports of a failed trial."""
        self._last.pop(trial.id, None)
        super().on_error(trial)
