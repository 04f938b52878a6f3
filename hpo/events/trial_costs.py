"""What trials have cost, where the benchmark names a metric that says so."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Spending:
    """A fold of reports: each says what its trial has cost since it began."""

    total: float = 0.0
    """Of all trials together, in the metric's own unit."""
    of: dict[int, float] = field(default_factory=dict)
    """Of each trial that has reported it."""

    def add(self, trial: int, cost: float | None) -> None:
        """A trial has reported its cost; None: no metric is named.

        One that has started over counts again from 0: what it had cost by then is not forgotten.
        """
        if cost is not None:
            before = self.of.get(trial, 0.0)
            self.of[trial] = max(cost, before)
            self.total += self.of[trial] - before
