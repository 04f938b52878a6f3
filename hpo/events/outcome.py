"""What a report says of a trial: how good it is, and how far from what is asked of it. One order for all that compare."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Constraint:
    """A bound on a metric.

    Attributes:
        metric: which.
        bound: finite.
        upper: is it the largest value that will do, and not the least?
        at_end: is it asked of reports at the maximum resource alone?
    """

    metric: str
    bound: float
    upper: bool = True
    at_end: bool = False

    def excess(self, value: float) -> float:
        """How far a value is beyond the bound, in bounds (in units where that is 0): at most 0 where it is met; else +inf."""
        beyond = value - self.bound if self.upper else self.bound - value
        return beyond / (abs(self.bound) or 1.0) if math.isfinite(value) else math.inf

    def __str__(self) -> str:
        return f"{self.metric} {'<=' if self.upper else '>='} {self.bound:g}"


class ReportOutcome(NamedTuple):
    """What a report comes to.

    Attributes:
        loss: lower is better; +inf where training diverged. With several objectives that of the first.
        violation: how far it is beyond all bounds together; 0 where it is beyond none.
        judged: False where a bound is asked of the maximum resource alone, which it has not reached.
        excesses: for each constraint, how far it is beyond the bound; nan where that is not known.
        further: the losses of the objectives after the first.
        cost: what the trial has cost so far; None where no metric is named for that.
    """

    loss: float
    violation: float = 0.0
    judged: bool = True
    excesses: Sequence[float] = ()
    further: tuple[float, ...] = ()
    cost: float | None = None

    @property
    def losses(self) -> tuple[float, ...]:
        """One per objective."""
        return (self.loss, *self.further)

    @property
    def order(self) -> tuple[float, ...]:
        """What outcomes are compared by, lower is better: first those that break no bound, by loss, then by violation.

        With several objectives all losses follow the violation, and none of them comes first.
        """
        return (self.violation, self.loss, *self.further)

    @property
    def finite(self) -> bool:
        """Has it a result in every objective?"""
        return math.isfinite(self.loss) and all(map(math.isfinite, self.further))

    @property
    def feasible(self) -> bool:
        """Is all met that is asked of it? Nothing else may ever be called best."""
        return self.judged and self.violation == 0

    @property
    def merit(self) -> float:
        """The loss where it is feasible and finite in all objectives, else +inf: what is looked at for the best."""
        return self.loss if self.feasible and self.finite else math.inf


def no_trial_met(constraints: Sequence[Constraint], closest: tuple[int, Sequence[float]] | None) -> str:
    """The sentence about an experiment without a feasible trial.

    Args:
        constraints: what is asked.
        closest: the trial that came closest, and the values of its constraints.
    """
    text = f"no trial met {' and '.join(map(str, constraints))}"
    if closest is None:
        return text
    trial_id, values = closest
    return f"{text} (closest: trial {trial_id}, {' and '.join(f'{value:.6g}' for value in values)})"
