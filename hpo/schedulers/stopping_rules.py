"""Rules that stop a trial early (pruning): it is worse than other trials there, or has not improved for a while."""

from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Mapping, Sequence
from typing import Any

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.events.types import Decision, Trial
from hpo.schedulers.base import require_max_resource
from hpo.schedulers.capabilities import SchedulerCapabilities
from hpo.schedulers.fifo import FIFO
from hpo.schedulers.rungs import Order, is_finite
from hpo.searchers.base import Searcher

COMPARED = ("mean", "value")


class StoppingRule(ABC):
    """Base class of rules that decide at each report of a trial, except the last, whether to stop it."""

    @abstractmethod
    def stops(self, trial_id: int, resource: int, order: Order) -> bool:
        """Whether the trial should be stopped here; `order` is the value by which reports are compared, lower is better."""

    @abstractmethod
    def end(self, trial_id: int, *, completed: bool, counts: bool) -> None:
        """Record that a trial has ended; `counts` is false if it failed, and its reports are then ignored."""


class MedianRule(StoppingRule):
    """A rule that stops a trial whose best report so far is worse than a percentile of other trials (median stopping).

    With `compare: mean`, the others are the trials that completed or were stopped at this resource or later, each
    represented by the mean of its reports up to here (Golovin et al., "Google Vizier", KDD 2017, section 3.2.1). With
    `compare: value`, they are the trials that completed, each represented by its report at this resource, as in Optuna's
    pruners. A trial whose reports have all diverged is stopped too. Trials that report at different resources than the
    rest are not compared with them.

    Args:
        percentile: Share of the others, from 0 to 100, that a trial must be among to continue; 50 is the median.
        min_completed: Number of trials that must complete before any trial is stopped.
        warmup: Resource that a trial must reach before it can be stopped.
        interval: Trials are compared at multiples of this resource.
        compare: Value that represents other trials, `mean` or `value`.

    Raises:
        ConfigError: An argument is out of range.
    """

    def __init__(
        self,
        *,
        percentile: float = 50,
        min_completed: int = 5,
        warmup: int = 1,
        interval: int = 1,
        compare: str = "mean",
    ) -> None:
        _check("median.percentile", percentile, "a number from 0 to 100", 0 <= percentile <= 100)
        for name, value in (("min_completed", min_completed), ("warmup", warmup), ("interval", interval)):
            _check(f"median.{name}", value, "a positive whole number", isinstance(value, int) and value >= 1)
        _check("median.compare", compare, " or ".join(COMPARED), compare in COMPARED)
        self.percentile, self.min_completed = percentile, min_completed
        self.warmup, self.interval = warmup, interval
        self.by_mean = compare == "mean"
        self._completed = 0
        self._others: dict[int, list[Order]] = {}  # results of other trials by resource, ascending
        self._best: dict[int, Order] = {}
        self._reports: dict[int, list[tuple[int, Order]]] = {}  # reports of running trials, for later comparisons
        self._sums: dict[int, list[float]] = {}

    def stops(self, trial_id: int, resource: int, order: Order) -> bool:
        """Record a report, and return whether the trial's best report is worse than the percentile of the others here."""
        best = self._best[trial_id] = min(order, self._best.get(trial_id, order))
        self._remember(trial_id, resource, order)
        if self._completed < self.min_completed or resource < self.warmup or resource % self.interval:
            return False
        others = self._others.get(resource)
        return not is_finite(best) or (others is not None and best > _percentile(others, self.percentile))

    def _remember(self, trial_id: int, resource: int, order: Order) -> None:
        reports = self._reports.setdefault(trial_id, [])
        if self.by_mean:
            sums = self._sums.setdefault(trial_id, [0.0] * len(order))
            for index, value in enumerate(order):
                sums[index] += value
            order = tuple(total / (len(reports) + 1) for total in sums)
        reports.append((resource, order))

    def end(self, trial_id: int, *, completed: bool, counts: bool) -> None:
        """Add the reports of a trial that has ended to those that others are compared with."""
        reports = self._reports.pop(trial_id, [])
        self._best.pop(trial_id, None)
        self._sums.pop(trial_id, None)
        if not counts:
            return
        self._completed += completed
        if completed or self.by_mean:
            for resource, order in reports:
                insort(self._others.setdefault(resource, []), order)


class PatienceRule(StoppingRule):
    """A rule that stops a trial that has not improved for a number of reports.

    Args:
        reports: Number of reports in a row without improvement after which the trial is stopped.
        min_delta: Smallest decrease of the loss that counts as an improvement, exclusive.

    Raises:
        ConfigError: An argument is out of range.
    """

    def __init__(self, *, reports: int = 10, min_delta: float = 0.0) -> None:
        _check("patience.reports", reports, "a positive whole number", isinstance(reports, int) and reports >= 1)
        _check("patience.min_delta", min_delta, "a number of at least 0", min_delta >= 0)
        self.reports, self.min_delta = reports, min_delta
        self._best: dict[int, Order] = {}
        self._since: dict[int, int] = {}

    def stops(self, trial_id: int, resource: int, order: Order) -> bool:
        """Record a report, and return whether the last improvement was `reports` reports ago."""
        best = self._best.get(trial_id)
        if best is None or (*order[:-1], order[-1] + self.min_delta) < best:
            self._best[trial_id], self._since[trial_id] = order, 0
        else:
            self._since[trial_id] += 1
        return self._since[trial_id] >= self.reports

    def end(self, trial_id: int, *, completed: bool, counts: bool) -> None:
        """Forget a trial that has ended."""
        self._best.pop(trial_id, None)
        self._since.pop(trial_id, None)


RULES: Mapping[str, type[StoppingRule]] = {"median": MedianRule, "patience": PatienceRule}


class StoppingRules(FIFO):
    """A scheduler that runs every trial to its end unless a rule stops it (pruning).

    Nothing is resumed, so that scripts need no checkpoints. The searcher learns the last result of a stopped trial, as if the
    trial had ended there.

    Args:
        searcher: Searcher that proposes configurations for new trials.
        max_resource: Resource at which a trial is complete; no rule applies to a report there.
        rules: Rules, each given as its name and its arguments, such as `{median: {percentile: 50}}`.

    Raises:
        ConfigError: A rule or an argument is invalid.
    """

    # No objectives: the median of several losses is not defined.
    capabilities = SchedulerCapabilities(constraints=True, violations="compared")

    def __init__(
        self, searcher: Searcher, *, max_resource: int | None, rules: Sequence[Mapping[str, Mapping[str, Any] | None]]
    ) -> None:
        self.maximum = require_max_resource(max_resource)
        super().__init__(searcher, max_resource=max_resource)
        self._rules = [_rule_of(rule) for rule in rules]
        if not self._rules:
            raise ConfigError(
                "method.scheduler.rules=[]: name one, such as {median: {percentile: 50}}, or use method=RS"
            )

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """Return STOP if a rule demands it, else CONTINUE."""
        super().on_outcome(trial, resource, outcome)
        verdicts = [rule.stops(trial.id, resource, outcome.order) for rule in self._rules]  # each sees every report
        if resource >= self.maximum or not any(verdicts):
            return Decision.CONTINUE
        super().on_complete(trial)
        self._end(trial, completed=False)
        return Decision.STOP

    def on_complete(self, trial: Trial) -> None:
        """Let the rules compare other trials with this one from now on; for a stopped trial that has already happened."""
        completed = trial.id in self._last
        super().on_complete(trial)
        if completed:
            self._end(trial, completed=True)

    def on_error(self, trial: Trial) -> None:
        """Discard the reports of a failed trial."""
        super().on_error(trial)
        self._end(trial, completed=False, counts=False)

    def _end(self, trial: Trial, *, completed: bool, counts: bool = True) -> None:
        for rule in self._rules:
            rule.end(trial.id, completed=completed, counts=counts)


def _percentile(ascending: Sequence[Order], percentile: float) -> Order:
    """Return a percentile of sorted results by linear interpolation, component by component."""
    place = percentile * (len(ascending) - 1) / 100
    low, high = ascending[int(place)], ascending[min(int(place) + 1, len(ascending) - 1)]
    part = place - int(place)
    return tuple(a if a == b or not part else a + (b - a) * part for a, b in zip(low, high, strict=True))


def _rule_of(spec: Any) -> StoppingRule:
    """Construct a stopping rule from its YAML."""
    if not isinstance(spec, Mapping) or len(spec) != 1 or next(iter(spec)) not in RULES:
        shown = dict(spec) if isinstance(spec, Mapping) else spec
        raise ConfigError(
            f"method.scheduler.rules: {shown!r} is not a rule; write each as {{NAME: {{ARGUMENT: VALUE}}}}, NAME one of "
            f"{', '.join(RULES)}"
        )
    name, arguments = next(iter(spec.items()))
    try:
        return RULES[name](**(arguments or {}))
    except TypeError as error:
        raise ConfigError(f"method.scheduler.rules.{name}: {error}; check its arguments") from error


def _check(name: str, value: Any, wanted: str, right: bool) -> None:
    if not right or isinstance(value, bool):
        raise ConfigError(f"method.scheduler.rules.{name}={value}: use {wanted}")
