"""Rules by which a trial is stopped where it is: behind what others had there, or no better for long."""

from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Mapping, Sequence
from typing import Any

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.events.values import Decision, Trial
from hpo.schedulers.base import maximum_of
from hpo.schedulers.fifo import FIFO
from hpo.schedulers.rungs import Order, is_finite
from hpo.searchers.base import Searcher

COMPARED = ("mean", "value")


class StoppingRule(ABC):
    """Asked at every report of a trial but its last."""

    @abstractmethod
    def stops(self, trial_id: int, resource: int, order: Order) -> bool:
        """Should the trial end here? `order` is what reports are compared by, lower is better."""

    @abstractmethod
    def end(self, trial_id: int, *, completed: bool, counts: bool) -> None:
        """No further report of the trial will follow; one that failed does not count."""


class MedianRule(StoppingRule):
    """Ends a trial whose best report so far is behind the others.

    With `compare: mean` the others are the trials that completed or were stopped, here or later, each with the mean of its
    reports up to here (Golovin et al., "Google Vizier", KDD 2017, section 3.2.1). With `compare: value` they
    are those that completed, with the very report, as for Optuna's pruners. A trial all of whose reports diverged ends too.
    Trials that report at other resources than the rest are not compared with them.

    Args:
        percentile: the share of the others, from 0 to 100, that a trial must be among; 50 is the median.
        min_completed: nothing is stopped before so many trials have completed.
        warmup: nor before a trial has got so far.
        interval: trials are compared at multiples of it.
        compare: mean or value.

    Raises:
        ConfigError: an argument is out of range.
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
        self._others: dict[int, list[Order]] = {}  # at each resource, ascending
        self._best: dict[int, Order] = {}
        self._reports: dict[int, list[tuple[int, Order]]] = {}  # of those that run: what others will be compared with
        self._sums: dict[int, list[float]] = {}

    def stops(self, trial_id: int, resource: int, order: Order) -> bool:
        """Behind the percentile of the others here?"""
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
        """What it reported is what others are compared with from now on."""
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
    """Ends a trial that has not become better for long.

    Args:
        reports: so many in a row.
        min_delta: what counts as better is better by more than this.

    Raises:
        ConfigError: an argument is out of range.
    """

    def __init__(self, *, reports: int = 10, min_delta: float = 0.0) -> None:
        _check("patience.reports", reports, "a positive whole number", isinstance(reports, int) and reports >= 1)
        _check("patience.min_delta", min_delta, "a number of at least 0", min_delta >= 0)
        self.reports, self.min_delta = reports, min_delta
        self._best: dict[int, Order] = {}
        self._since: dict[int, int] = {}

    def stops(self, trial_id: int, resource: int, order: Order) -> bool:
        """Was the best report so long ago?"""
        best = self._best.get(trial_id)
        if best is None or (*order[:-1], order[-1] + self.min_delta) < best:
            self._best[trial_id], self._since[trial_id] = order, 0
        else:
            self._since[trial_id] += 1
        return self._since[trial_id] >= self.reports

    def end(self, trial_id: int, *, completed: bool, counts: bool) -> None:
        """It is not asked about again."""
        self._best.pop(trial_id, None)
        self._since.pop(trial_id, None)


RULES: Mapping[str, type[StoppingRule]] = {"median": MedianRule, "patience": PatienceRule}


class StoppingRules(FIFO):
    """Every trial runs to its end unless a rule stops it. Nothing is resumed, so that scripts need no checkpoints.

    The searcher hears of a stopped trial as of one that ended there.

    Args:
        searcher: where new configurations come from.
        max_resource: the resource at which a trial is complete; a report there stops nothing.
        rules: of each its name and its arguments, as `{median: {percentile: 50}}`.

    Raises:
        ConfigError: a rule or an argument is wrong.
    """

    completes = False
    takes_objectives = False  # what a median of several losses is nobody can say

    def __init__(
        self, searcher: Searcher, *, max_resource: int | None, rules: Sequence[Mapping[str, Mapping[str, Any] | None]]
    ) -> None:
        self.maximum = maximum_of(max_resource)
        super().__init__(searcher, max_resource=max_resource)
        self._rules = [_rule_of(rule) for rule in rules]
        if not self._rules:
            raise ConfigError(
                "method.scheduler.rules=[]: name one, such as {median: {percentile: 50}}, or use method=RS"
            )

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """STOP where a rule says so, else CONTINUE."""
        super().on_outcome(trial, resource, outcome)
        verdicts = [rule.stops(trial.id, resource, outcome.order) for rule in self._rules]  # each sees every report
        if resource >= self.maximum or not any(verdicts):
            return Decision.CONTINUE
        super().on_complete(trial)
        self._end(trial, completed=False)
        return Decision.STOP

    def on_complete(self, trial: Trial) -> None:
        """Others are compared with it from now on; one that was stopped is that already."""
        completed = trial.id in self._last
        super().on_complete(trial)
        if completed:
            self._end(trial, completed=True)

    def on_error(self, trial: Trial) -> None:
        """A failed trial's reports do not count."""
        super().on_error(trial)
        self._end(trial, completed=False, counts=False)

    def _end(self, trial: Trial, *, completed: bool, counts: bool = True) -> None:
        for rule in self._rules:
            rule.end(trial.id, completed=completed, counts=counts)


def _percentile(ascending: Sequence[Order], percentile: float) -> Order:
    """Between two neighbours in proportion, number by number."""
    place = percentile * (len(ascending) - 1) / 100
    low, high = ascending[int(place)], ascending[min(int(place) + 1, len(ascending) - 1)]
    part = place - int(place)
    return tuple(a if a == b or not part else a + (b - a) * part for a, b in zip(low, high, strict=True))


def _rule_of(spec: Any) -> StoppingRule:
    """A rule from its YAML."""
    if not isinstance(spec, Mapping) or len(spec) != 1 or next(iter(spec)) not in RULES:
        shown = dict(spec) if isinstance(spec, Mapping) else spec
        raise ConfigError(
            f"method.scheduler.rules: {shown!r} is no rule; write each as {{NAME: {{ARGUMENT: VALUE}}}}, NAME one of "
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
