"""The costs of trials, if the benchmark names a metric for them."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Spending:
    """The costs of trials, computed from reports; each report has the cost of its trial since it began."""

    total: float = 0.0
    """Cost of all trials together, in the metric's own unit."""
    of: dict[int, float] = field(default_factory=dict)
    """Cost of each trial that has reported a cost, by trial id."""

    def add(self, trial: int, cost: float | None) -> None:
        """Add the cost that a trial has reported; None if no metric is named for it.

        A trial that starts over counts from 0 again; what it had cost before is added.
        """
        if cost is not None:
            before = self.of.get(trial, 0.0)
            self.of[trial] = max(cost, before)
            self.total += self.of[trial] - before
