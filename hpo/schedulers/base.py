"""What every scheduler is.

    suggestion = scheduler.suggest()          # Start, Resume, or None: nothing to do now
    scheduler.on_start(trial)                 # a Start was given an id
    decision = scheduler.on_report(trial, resource, loss)
    scheduler.on_complete(trial)              # or on_error(trial)

A scheduler is a pure function of its arguments and of the calls made to it: no clock, no global random numbers, no
files. `propose` changes nothing, `accept` records; replaying a log calls `accept` with what was logged.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.events.spending import Spending
from hpo.events.values import Configuration, Decision, Resume, Start, Suggestion, Trial
from hpo.searchers.base import Searcher


class Scheduler(ABC):
    """Decides what starts, continues, pauses and stops.

    Args:
        searcher: where new configurations come from.
        max_resource: the resource at which a trial is complete; None where trials report only once.

    Attributes:
        pauses: can `on_report` answer PAUSE? Scripts should then write checkpoints.
        levels: the rungs, which are resources below the maximum at which trials are compared, ascending.
    """

    pauses = False
    levels: Sequence[int] = ()
    takes_conditions = True
    """False refuses spaces in which not all hyperparameters are always used."""
    completes = False
    """True: no trial is paused or stopped."""
    copies = False
    """True: trials go on from copies of the checkpoints of others. It takes an argument `mutable`, names of hyperparameters,
    by which that is known before it is made."""
    takes_box = True
    """False where it has configurations that its searcher does not propose: no part of the space holds these."""
    takes_hurdles = False
    """True lets trials pass a rung only where they are better than some others were there, by `set_hurdles`."""
    takes_outcomes = False
    """False: it is asked `on_report` alone, and benchmarks with constraints are refused."""
    counts_seconds = False
    """True is told, where no metric is named for costs, that a trial costs the seconds that it trains."""
    takes_objectives = False
    """True asks `on_outcome` where there are several objectives; else benchmarks that have them are refused."""

    def __init__(self, searcher: Searcher, *, max_resource: int | None = None) -> None:
        self.searcher = searcher
        self.max_resource = max_resource
        self._spending = Spending()
        self._max_cost: float | None = None

    def set_hurdles(self, configurations: Sequence[Configuration]) -> None:
        """Let trials of other configurations pass a rung only where they are better than all of these were there.

        Only for those that say they can.
        """
        raise NotImplementedError(f"{type(self).__name__} has no hurdles")

    @property
    def sources(self) -> Collection[tuple[int, int]]:
        """Trials that others may yet go on from a copy of, each with the resource at which it was paused."""
        return ()

    @property
    def over(self) -> str | None:
        """Why nothing is left to be done; None where that is because the space is exhausted."""
        return None

    @property
    def unpausing(self) -> str:
        """What a user may pass in place of a method that pauses, where scripts write no checkpoints."""
        return 'a method that never pauses trials, such as method="ASHA-STOP"'

    def suggest(self, *, new_trials: bool = True) -> Suggestion | None:
        """What a free worker should do now, taken as done; None when there is nothing.

        Args:
            new_trials: False when no further trial may be started, only paused ones resumed.
        """
        if (suggestion := self.propose(new_trials=new_trials)) is not None:
            self.accept(suggestion)
        return suggestion

    def prepare(self) -> None:
        """Load what suggestions will need. Called once, while the first trials train."""
        self.searcher.prepare()

    def take_notes(self) -> list[str]:
        """What a reader of the log should know of the suggestions since the last call."""
        return self.searcher.take_notes()

    @abstractmethod
    def propose(self, *, new_trials: bool = True) -> Suggestion | None:
        """What `suggest` would return, without taking it as done."""

    def start_of(self, configuration: Configuration) -> Start:
        """How a new trial of this configuration begins. Changes nothing."""
        return Start(configuration, self.max_resource)

    def accept(self, suggestion: Suggestion) -> None:
        """`suggestion` is being carried out."""
        if isinstance(suggestion, Resume):
            self._on_resume(suggestion)
        elif suggestion.retries is None:  # else the searcher has proposed it before
            self.searcher.accept(suggestion.configuration)

    def _on_resume(self, resume: Resume) -> None:  # noqa: B027
        """A paused trial goes on."""

    @abstractmethod
    def on_start(self, trial: Trial) -> None:
        """The last Start with this configuration is now `trial`."""

    @abstractmethod
    def on_report(self, trial: Trial, resource: int, loss: float) -> Decision:
        """A result: lower `loss` is better, infinite where training diverged. `resource` grows from call to call."""

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """A result where there are constraints; those that take no outcomes are not asked."""
        return self.on_report(trial, resource, outcome.loss)

    def on_paused(self, trial: Trial) -> None:  # noqa: B027
        """The processes of a trial that was told to pause are gone: what it has saved stays as it is."""

    def on_cost(self, trial: Trial, resource: int, cost: float) -> None:
        """What the trial has cost up to a resource, where a metric or seconds tell it: told before the result there."""
        self._spending.add(trial.id, cost)
        self.searcher.on_cost(trial.configuration, resource, self._spending.of[trial.id])
        self._tell_left()

    def on_budget(self, *, max_cost: float | None) -> None:
        """What all trials together may cost from now on; None is no limit."""
        self._max_cost = max_cost
        self._tell_left()

    def _tell_left(self) -> None:
        limit = self._max_cost
        self.searcher.cost_left = 1.0 if limit is None else max(1 - self._spending.total / limit, 0.0)

    def on_complete(self, trial: Trial) -> None:
        """The script ended by itself, perhaps below the maximum, or somebody has stopped the trial, running or paused.

        No further result will follow.
        """
        self.searcher.on_failed(trial.configuration)

    def on_error(self, trial: Trial) -> None:
        """The trial failed or timed out."""
        self.searcher.on_failed(trial.configuration)


class OutcomeScheduler(Scheduler):
    """One that compares trials by `ReportOutcome.order`: constraints first, then the loss."""

    takes_outcomes = True

    def on_report(self, trial: Trial, resource: int, loss: float) -> Decision:
        """A result where nothing but the loss counts."""
        return self.on_outcome(trial, resource, ReportOutcome(loss))

    @abstractmethod
    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """A result: `outcome.order` is compared. `resource` grows from call to call."""


def maximum_of(max_resource: int | None) -> int:
    """The maximum of a method that cannot do without.

    Raises:
        ConfigError: there is none.
    """
    if max_resource is None:
        raise ConfigError(
            "benchmark.max_resource_attr=null: this method stops trials early and needs to know their maximum; name "
            "the script's argument for it (such as epochs) there and give its value in benchmark.arguments"
        )
    return max_resource
