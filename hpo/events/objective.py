"""What a report means: which resource was spent, how good the result is. Signs are turned here and nowhere else."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.errors import HPOError, nearest


class ReportError(HPOError):
    """A report that cannot be used: a script's, or one of a log that does not fit the configuration beside it."""


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric, its direction, and the name of the resource (None: reports are counted)."""

    metric: str
    mode: str
    resource_attr: str | None

    def loss(self, metrics: Mapping[str, Any]) -> float:
        """The metric, turned so that lower is better; +inf for NaN and both infinities.

        Raises:
            ReportError: it is missing or not a number.
        """
        value = self._get(metrics, self.metric, "benchmark.metric")
        if isinstance(value, bool) or not isinstance(value, int | float):
            hint = (
                "; write NaN where training has diverged" if value is None else ""
            )  # of which JSON.stringify makes null
            raise ReportError(
                f"benchmark.metric={self.metric}: the script reported {value!r}, which is not a number{hint}"
            )
        try:
            value = float(value)
        except OverflowError:
            return math.inf
        if not math.isfinite(value):
            return math.inf
        return -value if self.mode == "max" else value

    def resource(self, metrics: Mapping[str, Any]) -> int | None:
        """The resource spent so far; None where reports are counted.

        Raises:
            ReportError: it is missing or not a positive whole number.
        """
        if self.resource_attr is None:
            return None
        value = self._get(metrics, self.resource_attr, "benchmark.resource_attr")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 1 <= value < 2**53 or int(value) != value:
            raise ReportError(
                f"benchmark.resource_attr={self.resource_attr}: the script reported {value!r}; it must be a positive "
                f"whole number that grows, such as the epoch counted from 1"
            )
        return int(value)

    def reaches(self, value: float, target: float) -> bool:
        """Is a value of the metric as good as the target, or better?"""
        return value >= target if self.mode == "max" else value <= target

    def value(self, loss: float) -> float:
        """The metric that belongs to a loss."""
        return -loss if self.mode == "max" else loss

    @staticmethod
    def _get(metrics: Mapping[str, Any], name: str, key: str) -> Any:
        if name in metrics:
            return metrics[name]
        reported = [str(k) for k in metrics]
        near = nearest(name, reported)
        hint = f"; did you mean {near!r}?" if near else ""
        raise ReportError(f"{key}={name}: the script reported only {', '.join(reported) or 'an empty object'}{hint}")
