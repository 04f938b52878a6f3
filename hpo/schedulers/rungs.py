"""Rungs of successive halving: levels, quantiles, and the two rules that compare trials at a rung.

Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020), Algorithm 2, with the cut-off as an
interpolated quantile: the best of two trials can already go on, where the paper's floor(n / eta) waits for eta trials.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field

from hpo.errors import ConfigError


def rung_levels(min_resource: int, max_resource: int, reduction_factor: float) -> list[int]:
    """r_min, r_min·η, r_min·η², … rounded, all below `max_resource`, which is itself no rung.

    Raises:
        ConfigError: the arguments leave no rung.
    """
    for name, value in (("min_resource", min_resource), ("reduction_factor", reduction_factor)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"method.scheduler.{name}={value!r}: use a number")
    if not min_resource >= 1:
        raise ConfigError(f"method.scheduler.min_resource={min_resource}: use a positive whole number")
    if not 1.01 <= reduction_factor < math.inf:
        raise ConfigError(
            f"method.scheduler.reduction_factor={reduction_factor}: use a number of at least 1.01, such as 3"
        )
    if min_resource >= max_resource:
        raise ConfigError(
            f"method.scheduler.min_resource={min_resource}: it must be below the maximum resource {max_resource}"
        )
    levels: list[int] = []
    power = 0
    while (level := round(min_resource * reduction_factor**power)) < max_resource:
        if not levels or level > levels[-1]:
            levels.append(level)
        power += 1
    return levels


def quantile(ordered: Sequence[float], q: float) -> float:
    """The linearly interpolated `q`-quantile of ascending values, which may end in infinities."""
    position = (len(ordered) - 1) * q
    below = math.floor(position)
    fraction = position - below
    low = ordered[below]
    if fraction == 0:
        return low
    high = ordered[below + 1]
    return math.inf if math.isinf(high) else low + fraction * (high - low)


@dataclass(slots=True)
class Rung:
    """The results at one level. Losses are finite or +inf, never NaN."""

    level: int
    quantile: float
    """The share of its trials that may go on: this level over the next."""
    losses: list[float] = field(default_factory=list)
    """All results ever recorded here, ascending."""
    waiting: list[tuple[float, int]] = field(default_factory=list)
    """(loss, trial id) of the finite ones paused here and not promoted, ascending."""

    def cutoff(self) -> float | None:
        """The loss a trial may not exceed; None while there are fewer than two."""
        return quantile(self.losses, self.quantile) if len(self.losses) >= 2 else None

    def record(self, loss: float) -> None:
        """A trial got here and does not wait."""
        insort(self.losses, loss)

    def park(self, trial_id: int, loss: float) -> None:
        """A trial got here and waits for a promotion; one that diverged is recorded but never promoted."""
        self.record(loss)
        if math.isfinite(loss):
            insort(self.waiting, (loss, trial_id))

    def promotable(self) -> int | None:
        """The best waiting trial, if it is within the cut-off."""
        cut = self.cutoff()
        if cut is None or not self.waiting or self.waiting[0][0] > cut:
            return None
        return self.waiting[0][1]

    def remove(self, trial_id: int) -> None:
        """The trial no longer waits here. Its result stays and counts for the quantile."""
        for index, (_, waiting_id) in enumerate(self.waiting):  # the best, which is promoted, is the first
            if waiting_id == trial_id:
                del self.waiting[index]
                return

    def passes(self, loss: float) -> bool:
        """Stopping rule, asked after `record`: does a trial with this result go on?"""
        cut = self.cutoff()
        return math.isfinite(loss) and (cut is None or loss <= cut)


def make_rungs(levels: Sequence[int], max_resource: int) -> list[Rung]:
    """Empty rungs, ascending, each with the quantile level / next level."""
    following = [*levels, max_resource][1:]
    return [Rung(level, level / after) for level, after in zip(levels, following, strict=True)]


def next_level(levels: Sequence[int], resource: int, max_resource: int) -> int:
    """The first level above `resource`, or the maximum."""
    index = bisect_left(levels, resource + 1)
    return levels[index] if index < len(levels) else max_resource


def bracket_probabilities(levels: Sequence[int], max_resource: int, brackets: int) -> list[float]:
    """How often a new trial should skip the s lowest rungs, s = 0 .. brackets-1.

    In proportion to (K+1) / ((K+1-s) · r_s), the number of trials that bracket s starts in synchronous Hyperband
    (Li et al., JMLR 18, 2018, Algorithm 1); K+1 counts the levels and the maximum.
    """
    resources = [*levels, max_resource]
    total = len(resources)
    weights = [total / ((total - s) * resources[s]) for s in range(brackets)]
    return [weight / sum(weights) for weight in weights]
