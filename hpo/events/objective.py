"""What a report means: which resource was spent, how good the result is. Signs are turned here and nowhere else."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo.errors import HPOError, nearest
from hpo.events.outcome import Constraint, ReportOutcome

MOST_COST = 1e300
"""So that costs can be added up."""

A_COST = "a number from 0 that never falls: what the trial has cost in all since it began"

_FROM_ZERO = "; if hpo reads it from what the program prints or writes, set benchmark.first_resource=0"


class ReportError(HPOError):
    """A report that cannot be used: a script's, or one of a log that does not fit the configuration beside it."""


@dataclass(frozen=True, slots=True)
class Aim:
    """One of several objectives."""

    metric: str
    mode: str
    log: bool = False
    """Is it spread over orders of magnitude? Models and distances look at its logarithm; comparisons need none."""

    def value(self, loss: float) -> float:
        """The metric that belongs to a loss."""
        return -loss if self.mode == "max" else loss

    loss = value
    """The loss of a value of the metric: turning twice changes nothing."""


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric, its direction, the name of the resource (None: reports are counted), and what else is asked.

    With several objectives metric and mode are those of the first, which is shown where there is room for one.
    """

    metric: str
    mode: str
    resource_attr: str | None
    constraints: Sequence[Constraint] = ()
    max_resource: int | None = None
    """Where constraints count that are asked of the end."""
    aims: Sequence[Aim] = ()
    """All objectives where there are several, the first among them."""
    cost_attr: str | None = None
    """The metric that says what a trial has cost so far; None where none is named."""

    @property
    def judged(self) -> dict[str, str]:
        """Metrics beside `metric` that each report needs, by their keys in the configuration."""
        aims = {f"benchmark.objectives.{aim.metric}": aim.metric for aim in self.aims}
        bounds = {f"benchmark.constraints.{one.metric}": one.metric for one in self.constraints}
        cost = {} if self.cost_attr is None else {f"benchmark.cost_attr={self.cost_attr}": self.cost_attr}
        return aims | bounds | cost

    @property
    def each(self) -> Sequence[Aim]:
        """All objectives, also where there is one."""
        return self.aims or (Aim(self.metric, self.mode),)

    @property
    def takes_outcomes(self) -> bool:
        """Is there more to a report than its loss?"""
        return bool(self.constraints or self.aims)

    def outcome(self, metrics: Mapping[str, Any], resource: int) -> ReportOutcome:
        """What a report at a resource comes to.

        Raises:
            ReportError: the metric, or another that is asked for, is missing or not a number.
        """
        return self._judge(self._loss(metrics, self.metric, self.mode), metrics, resource)

    def read(self, metrics: Mapping[str, Any], count: int) -> tuple[int, ReportOutcome]:
        """The resource of a report, and what it comes to.

        Args:
            metrics: what was reported.
            count: the number of the report, which is the resource where reports are counted.

        Raises:
            ReportError: something is missing, or is not a number; that of the metric comes first.
        """
        loss = self._loss(metrics, self.metric, self.mode)
        resource = self.resource(metrics) or count
        return resource, self._judge(loss, metrics, resource)

    def _judge(self, loss: float, metrics: Mapping[str, Any], resource: int) -> ReportOutcome:
        cost = None if self.cost_attr is None else self.cost(metrics)
        if not (self.constraints or self.aims):
            return ReportOutcome(loss, cost=cost)
        further = tuple(self._loss(metrics, aim.metric, aim.mode) for aim in self.aims[1:])
        if not self.constraints:
            return ReportOutcome(loss, further=further, cost=cost)
        early = self.max_resource is not None and resource < self.max_resource
        excesses, violation, judged = [], 0.0, True
        for constraint in self.constraints:
            if early and constraint.at_end:
                judged = False
                known = constraint.metric in metrics
                excesses.append(constraint.excess(self._bounded(metrics, constraint)) if known else math.nan)
            else:
                excesses.append(constraint.excess(self._bounded(metrics, constraint)))
                violation += max(excesses[-1], 0.0)
        return ReportOutcome(loss, violation, judged, tuple(excesses), further, cost)

    def merit(self, metrics: Mapping[str, Any], resource: int) -> float:
        """The loss of a report, +inf where it can be no best: it does not meet the constraints, or diverged in an objective.

        Raises:
            ReportError: as of `outcome`.
        """
        return self.outcome(metrics, resource).merit if self.takes_outcomes else self.loss(metrics)

    def bounded(self, metrics: Mapping[str, Any]) -> tuple[float, ...]:
        """The values that have bounds, in the order of the constraints.

        Raises:
            ReportError: one is missing or not a number.
        """
        return tuple(self._bounded(metrics, constraint) for constraint in self.constraints)

    def _bounded(self, metrics: Mapping[str, Any], constraint: Constraint) -> float:
        return self._number(metrics, constraint.metric, f"benchmark.constraints.{constraint.metric}")

    def loss(self, metrics: Mapping[str, Any]) -> float:
        """The metric, turned so that lower is better; +inf for NaN and both infinities.

        Raises:
            ReportError: it is missing or not a number.
        """
        return self._loss(metrics, self.metric, self.mode)

    def _loss(self, metrics: Mapping[str, Any], metric: str, mode: str) -> float:
        value = metrics.get(metric)
        if type(value) is not float:  # nearly all are, and a log may have millions
            key = f"benchmark.objectives.{metric}" if self.aims else f"benchmark.metric={metric}"
            value = self._number(metrics, metric, key)
        if not math.isfinite(value):
            return math.inf
        return -value if mode == "max" else value

    def resource(self, metrics: Mapping[str, Any]) -> int | None:
        """The resource spent so far; None where reports are counted.

        Raises:
            ReportError: it is missing or not a positive whole number.
        """
        if self.resource_attr is None:
            return None
        value = metrics.get(self.resource_attr)
        if type(value) is int and 1 <= value < 2**53:  # nearly all are
            return value
        value = self._get(metrics, self.resource_attr, f"benchmark.resource_attr={self.resource_attr}")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 1 <= value < 2**53 or int(value) != value:
            raise ReportError(
                f"benchmark.resource_attr={self.resource_attr}: the script reported {value!r}; it must be a positive "
                f"whole number that grows, such as the epoch counted from 1{_FROM_ZERO if value == 0 else ''}"
            )
        return int(value)

    def cost(self, metrics: Mapping[str, Any]) -> float | None:
        """What the trial has cost so far; None where no metric is named for that.

        Raises:
            ReportError: it is missing, or not a finite number from 0.
        """
        if self.cost_attr is None:
            return None
        key = f"benchmark.cost_attr={self.cost_attr}"
        value = self._get(metrics, self.cost_attr, key)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value < MOST_COST:
            raise ReportError(f"{key}: the script reported {value!r}; it must be {A_COST}")
        return float(value)

    def reaches(self, value: float, target: float) -> bool:
        """Is a value of the metric as good as the target, or better?"""
        return value >= target if self.mode == "max" else value <= target

    def value(self, loss: float) -> float:
        """The metric that belongs to a loss."""
        return -loss if self.mode == "max" else loss

    def values(self, losses: Sequence[float]) -> dict[str, float]:
        """The metrics that belong to the losses of all objectives, by their names."""
        return {aim.metric: aim.value(loss) for aim, loss in zip(self.aims, losses, strict=True)}

    def _number(self, metrics: Mapping[str, Any], name: str, key: str) -> float:
        """A metric as a float; what is too large for one is infinite."""
        value = self._get(metrics, name, key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            # JSON.stringify makes null of NaN.
            hint = "; write NaN where training has diverged" if value is None else ""
            raise ReportError(f"{key}: the script reported {value!r}, which is not a number{hint}")
        try:
            return float(value)
        except OverflowError:
            return math.inf

    @staticmethod
    def _get(metrics: Mapping[str, Any], name: str, key: str) -> Any:
        if name in metrics:
            return metrics[name]
        reported = [str(k) for k in metrics]
        near = nearest(name, reported)
        hint = f"; did you mean {near!r}?" if near else ""
        raise ReportError(f"{key}: the script reported only {', '.join(reported) or 'an empty object'}{hint}")
