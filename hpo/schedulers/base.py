"""The interface of all schedulers.

    suggestion = scheduler.suggest()          # a Start, a Resume, or None: nothing to do now
    scheduler.on_start(trial)                 # the trial of the last Start now has an id
    decision = scheduler.on_report(trial, resource, loss)
    scheduler.on_complete(trial)              # or on_error(trial)

A scheduler is a pure function of its arguments and of the calls made to it. It reads no clock, no global random numbers and
no files. `propose` changes nothing; `accept` records. Replaying a log calls `accept` with the suggestions in the log.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.events.trial_costs import Spending
from hpo.events.types import Configuration, Decision, Resume, Start, Suggestion, Trial
from hpo.schedulers.capabilities import FORMER_FLAGS, SchedulerCapabilities
from hpo.searchers.base import Searcher
from hpo.searchers.capabilities import adopt_former_flags


class Scheduler(ABC):
    """Base class of schedulers, which decide which trials start, resume, pause and stop.

    Args:
        searcher: Searcher that proposes configurations for new trials.
        max_resource: Resource at which a trial is complete; None if trials report only once.

    Attributes:
        capabilities: What the class supports and does.
        levels: Resources of the rungs, at which trials are compared; ascending, all below the maximum.
    """

    capabilities = SchedulerCapabilities()
    levels: Sequence[int] = ()

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        adopt_former_flags(cls, FORMER_FLAGS)

    def __init__(self, searcher: Searcher, *, max_resource: int | None = None) -> None:
        self.searcher = searcher
        self.max_resource = max_resource
        self._spending = Spending()
        self._max_cost: float | None = None

    @property
    def pauses(self) -> bool:
        """Whether `on_report` can return PAUSE, as `capabilities` says."""
        return self.capabilities.pauses

    @property
    def sources(self) -> Collection[tuple[int, int]]:
        """Pairs (trial id, resource) of paused trials whose checkpoints may still be copied to start other trials."""
        return ()

    @property
    def over(self) -> str | None:
        """The reason why no work is left, in words; None if the reason is that the search space is exhausted."""
        return None

    @property
    def unpausing(self) -> str:
        """Advice to a user whose script saves no checkpoints: what to pass instead of a method that pauses trials."""
        return 'a method that never pauses trials, such as method="ASHA-STOP"'

    def suggest(self, *, new_trials: bool = True) -> Suggestion | None:
        """Return what a free worker should do next and record it as accepted; None if there is nothing to do.

        Args:
            new_trials: Whether a new trial may be started; if false, only paused ones are resumed.
        """
        if (suggestion := self.propose(new_trials=new_trials)) is not None:
            self.accept(suggestion)
        return suggestion

    def prepare(self) -> None:
        """Load what later suggestions need, such as libraries; called once while the first trials train."""
        self.searcher.prepare()

    def pop_log_messages(self) -> list[str]:
        """Return the messages for the log about suggestions made since the last call."""
        return self.searcher.pop_log_messages()

    def propose(self, *, new_trials: bool = True) -> Suggestion | None:
        """Return what `suggest` would return, without recording it; by default a new trial, as the searcher proposes it."""
        configuration = self.searcher.propose() if new_trials else None
        return None if configuration is None else self.make_start(configuration)

    def make_start(self, configuration: Configuration) -> Start:
        """Return the start of a new trial with this configuration; changes nothing."""
        return Start(configuration, self.max_resource)

    def accept(self, suggestion: Suggestion) -> None:
        """Record that a suggestion is being carried out."""
        if isinstance(suggestion, Resume):
            self._on_resume(suggestion)
        elif suggestion.retries is None:  # a retry was proposed before
            self.searcher.accept(suggestion.configuration)

    def _on_resume(self, resume: Resume) -> None:  # noqa: B027
        """Record that a paused trial resumes."""

    @abstractmethod
    def on_start(self, trial: Trial) -> None:
        """Record that the trial of the last accepted start now has an id."""

    @abstractmethod
    def on_report(self, trial: Trial, resource: int, loss: float) -> Decision:
        """Record a result and return what the trial should do next.

        Args:
            trial: Trial that reports.
            resource: Resource reached, which grows from call to call.
            loss: Loss there, lower is better; infinite if training diverged.
        """

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """Record a result with constraints or several objectives; schedulers that support neither use only its loss."""
        return self.on_report(trial, resource, outcome.loss)

    def on_paused(self, trial: Trial) -> None:  # noqa: B027
        """Record that the processes of a pausing trial have ended, so that its checkpoint no longer changes."""

    def on_cost(self, trial: Trial, resource: int, cost: float) -> None:
        """Record what a trial has cost up to a resource; called before the result at that resource, if costs are known."""
        self._spending.add(trial.id, cost)
        self.searcher.on_cost(trial.configuration, resource, self._spending.of[trial.id])
        self._tell_left()

    def on_budget(self, *, max_cost: float | None) -> None:
        """Set a limit on the total cost of all trials; None for no limit."""
        self._max_cost = max_cost
        self._tell_left()

    def _tell_left(self) -> None:
        limit = self._max_cost
        self.searcher.cost_left = 1.0 if limit is None else max(1 - self._spending.total / limit, 0.0)

    def on_complete(self, trial: Trial) -> None:
        """Record that a trial has ended and will report no more results.

        Its script ended by itself, perhaps below the maximum resource, or a user stopped the trial while it was running
        or paused.
        """
        self.searcher.on_failed(trial.configuration)

    def on_error(self, trial: Trial) -> None:
        """Record that a trial failed or timed out."""
        self.searcher.on_failed(trial.configuration)


class OutcomeScheduler(Scheduler):
    """Base class of schedulers that compare trials by `ReportOutcome.order`: constraints first, then the loss."""

    capabilities = SchedulerCapabilities(constraints=True)

    def on_report(self, trial: Trial, resource: int, loss: float) -> Decision:
        """Record a result that consists of a loss alone, and return what the trial should do next."""
        return self.on_outcome(trial, resource, ReportOutcome(loss))

    @abstractmethod
    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """Record a result and return what the trial should do next.

        Args:
            trial: Trial that reports.
            resource: Resource reached, which grows from call to call.
            outcome: Result there; trials are compared by `outcome.order`.
        """


def require_max_resource(max_resource: int | None) -> int:
    """Return the maximum resource, for a method that cannot do without.

    Raises:
        ConfigError: The benchmark defines no maximum resource.
    """
    if max_resource is None:
        raise ConfigError(
            "benchmark.max_resource_attr=null: this method stops trials early and needs to know their maximum; name "
            "the script's argument for it (such as epochs) there and give its value in benchmark.arguments"
        )
    return max_resource
