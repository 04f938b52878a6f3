"""The objective of an experiment: the resource and the outcome of a report. Only this module turns signs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo.errors import HPOError, nearest
from hpo.events.outcome import Constraint, ReportOutcome

MOST_COST = 1e300
"""Largest cost of a trial, so that the sum of costs is finite."""

A_COST = "a number from 0 that never falls: what the trial has cost in all since it began"

_FROM_ZERO = "; if hpo reads it from what the program prints or writes, set benchmark.first_resource=0"


class ReportError(HPOError):
    """Error for a report that cannot be used: a script's, or one in a log that does not fit the configuration beside it.

    Args:
        message: The problem; it is stored if the trial fails because of it.
        remedy: The remedy for the user.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy

    @property
    def sentence(self) -> str:
        """The message with the remedy."""
        return f"{self}; {self.remedy}" if self.remedy else str(self)


@dataclass(frozen=True, slots=True)
class Aim:
    """One objective of a multi-objective experiment."""

    metric: str
    mode: str
    log: bool = False
    """Whether the values of the metric spread over orders of magnitude; models and distances then use their logarithm."""

    def value(self, loss: float) -> float:
        """Return the value of the metric that belongs to a loss."""
        return -loss if self.mode == "max" else loss

    loss = value
    """Return the loss of a value of the metric; turning the sign twice changes nothing."""


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric of an experiment, its direction, the resource's name (None if reports are counted), and more requirements.

    In multi-objective experiments, metric and mode are those of the first objective, which is shown if only one fits.
    """

    metric: str
    mode: str
    resource_attr: str | None
    constraints: Sequence[Constraint] = ()
    max_resource: int | None = None
    """Maximum resource, at which constraints count that apply to the end only."""
    aims: Sequence[Aim] = ()
    """All objectives of a multi-objective experiment, the first included; empty for a single objective."""
    cost_attr: str | None = None
    """Name of the metric with the cost of a trial so far; None without one."""
    test_metrics: Sequence[str] = ()
    """Names of metrics that are recorded and shown, and that nothing is decided by."""

    def without_tests(self, metrics: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what a report says to whoever decides: all but its test metrics."""
        if not self.test_metrics:
            return metrics
        return {name: value for name, value in metrics.items() if name not in self.test_metrics}

    def test_values(self, metrics: Mapping[str, Any]) -> dict[str, float]:
        """Return the test metrics of a report that are numbers."""
        found = {name: metrics[name] for name in self.test_metrics if name in metrics}
        return {name: float(value) for name, value in found.items() if type(value) in (int, float)}

    @property
    def judged(self) -> dict[str, str]:
        """The metrics beside `metric` that each report needs, by their keys in the configuration."""
        aims = {f"benchmark.objectives.{aim.metric}": aim.metric for aim in self.aims}
        bounds = {f"benchmark.constraints.{one.metric}": one.metric for one in self.constraints}
        cost = {} if self.cost_attr is None else {f"benchmark.cost_attr={self.cost_attr}": self.cost_attr}
        return aims | bounds | cost

    @property
    def each(self) -> Sequence[Aim]:
        """All objectives; one for a single objective."""
        return self.aims or (Aim(self.metric, self.mode),)

    @property
    def takes_outcomes(self) -> bool:
        """Whether reports have more than a loss: constraints or further objectives."""
        return bool(self.constraints or self.aims)

    def outcome(self, metrics: Mapping[str, Any], resource: int) -> ReportOutcome:
        """Return the outcome of a report at a resource.

        Raises:
            ReportError: The metric, or another that is required, is missing or not a number.
        """
        metrics = self.without_tests(metrics)
        return self._judge(self._loss(metrics, self.metric, self.mode), metrics, resource)

    def read(self, metrics: Mapping[str, Any], count: int) -> tuple[int, ReportOutcome]:
        """Return the resource and the outcome of a report.

        Args:
            metrics: Metrics that were reported.
            count: Number of the report, which is the resource if reports are counted.

        Raises:
            ReportError: A value is missing or not a number; the metric is checked first.
        """
        metrics = self.without_tests(metrics)
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
        """Return the loss of a report that can be the best; +inf if it violates a constraint or diverged in an objective.

        Raises:
            ReportError: See `outcome`.
        """
        return self.outcome(metrics, resource).merit if self.takes_outcomes else self.loss(metrics)

    def bounded(self, metrics: Mapping[str, Any]) -> tuple[float, ...]:
        """Return the values that have bounds, in the order of the constraints.

        Raises:
            ReportError: One is missing or not a number.
        """
        return tuple(self._bounded(metrics, constraint) for constraint in self.constraints)

    def _bounded(self, metrics: Mapping[str, Any], constraint: Constraint) -> float:
        return self._number(metrics, constraint.metric, f"benchmark.constraints.{constraint.metric}")

    def loss(self, metrics: Mapping[str, Any]) -> float:
        """Return the loss: the metric, turned so that lower is better; +inf for NaN and both infinities.

        Raises:
            ReportError: The metric is missing or not a number.
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
        """Return the resource that a report names; None if reports are counted.

        Raises:
            ReportError: The resource is missing or not a positive whole number.
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
        """Return the cost of the trial so far; None if no metric is named for it.

        Raises:
            ReportError: The cost is missing, or not a finite number from 0.
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
        """Whether a value of the metric is at least as good as the target."""
        return value >= target if self.mode == "max" else value <= target

    def value(self, loss: float) -> float:
        """Return the value of the metric that belongs to a loss."""
        return -loss if self.mode == "max" else loss

    def values(self, losses: Sequence[float]) -> dict[str, float]:
        """Return the metrics that belong to the losses of all objectives, by their names."""
        return {aim.metric: aim.value(loss) for aim, loss in zip(self.aims, losses, strict=True)}

    def _number(self, metrics: Mapping[str, Any], name: str, key: str) -> float:
        """Return a metric as a float; one too large for a float is infinite."""
        value = self._get(metrics, name, key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            # JSON.stringify makes null of NaN.
            raise ReportError(f"{key}: the script reported {value!r}, which is not a number", _as_number(value))
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
        remedy = "" if near else f"report {name} in each report as well, or correct the key"
        raise ReportError(f"{key}: the script reported only {', '.join(reported) or 'an empty object'}{hint}", remedy)


def _as_number(value: object) -> str:
    """Return advice on how to report a value that is not a number."""
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            pass
        else:
            return "write it without quotes"
    return "report a number, and NaN if training has diverged"
