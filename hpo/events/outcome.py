"""The outcome of a report: how good a trial is and by how much it violates constraints, in one order for all comparisons."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Constraint:
    """A bound on a metric.

    Attributes:
        metric: Name of the metric.
        bound: The bound, a finite number.
        upper: Whether the bound is the largest allowed value, not the smallest.
        at_end: Whether the bound applies only to reports at the maximum resource.
    """

    metric: str
    bound: float
    upper: bool = True
    at_end: bool = False

    def excess(self, value: float) -> float:
        """Return by how much a value violates the bound, relative to the bound (absolute if it is 0); at most 0 if it is met.

        A value that is not finite gives +inf.
        """
        beyond = value - self.bound if self.upper else self.bound - value
        return beyond / (abs(self.bound) or 1.0) if math.isfinite(value) else math.inf

    def __str__(self) -> str:
        return f"{self.metric} {'<=' if self.upper else '>='} {self.bound:g}"


class ReportOutcome(NamedTuple):
    """The outcome of a report.

    Attributes:
        loss: Loss, lower is better; +inf if training diverged. In multi-objective experiments that of the first objective.
        violation: Sum of the violations of all constraints; 0 if none is violated.
        judged: Whether all constraints could be judged; some apply only to the maximum resource.
        excesses: Violation of each constraint; nan if unknown.
        further: Losses of the objectives after the first.
        cost: Cost of the trial so far; None if no metric is named for it.
    """

    loss: float
    violation: float = 0.0
    judged: bool = True
    excesses: Sequence[float] = ()
    further: tuple[float, ...] = ()
    cost: float | None = None

    @property
    def losses(self) -> tuple[float, ...]:
        """The loss in each objective."""
        return (self.loss, *self.further)

    @property
    def order(self) -> tuple[float, ...]:
        """The key by which outcomes are compared, lower is better: feasible ones first, by loss, then others by violation.

        With several objectives, the losses of all follow the violation; the key then does not rank the objectives.
        """
        return (self.violation, self.loss, *self.further)

    @property
    def finite(self) -> bool:
        """Whether the result is finite in every objective."""
        return math.isfinite(self.loss) and all(map(math.isfinite, self.further))

    @property
    def feasible(self) -> bool:
        """Whether all constraints were judged and are met. Only a feasible result can be called best."""
        return self.judged and self.violation == 0

    @property
    def merit(self) -> float:
        """The loss if the outcome is feasible and finite in all objectives, else +inf; the best result has the lowest."""
        return self.loss if self.feasible and self.finite else math.inf


def no_trial_met(constraints: Sequence[Constraint], closest: tuple[int, Sequence[float]] | None) -> str:
    """Return the sentence about an experiment without a feasible trial.

    Args:
        constraints: Constraints of the experiment.
        closest: Trial that came closest, and the values of its constraints.
    """
    text = f"no trial met {' and '.join(map(str, constraints))}"
    if closest is None:
        return text
    trial_id, values = closest
    return f"{text} (closest: trial {trial_id}, {' and '.join(f'{value:.6g}' for value in values)})"
