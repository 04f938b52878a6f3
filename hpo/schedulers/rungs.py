"""Rungs of successive halving: levels, and the two rules that compare trials at a rung.

Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020), Algorithm 2, where of n trials those may go
on that have at most (n - 1) q strictly better ones: the best of two can already go on, where the paper's floor(n / eta) waits
for eta trials. Of losses these are the ones that are not above the interpolated q-quantile; the rule takes any order.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from hpo.errors import ConfigError

Order = tuple[float, ...]
"""What results are compared by, as `ReportOutcome.order`: lower is better, infinite where a trial never goes on, no NaN."""


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


def is_finite(order: Order) -> bool:
    """May a trial with this result go on?"""
    return all(map(math.isfinite, order))


@dataclass(slots=True)
class Rung:
    """The results at one level."""

    level: int
    quantile: float
    """The share of its trials that may go on: this level over the next."""
    results: list[Order] = field(default_factory=list)
    """All that were ever recorded here, ascending."""
    waiting: list[tuple[Order, int]] = field(default_factory=list)
    """(result, trial id) of the finite ones paused here and not promoted: a heap, the best one first."""
    hurdle: Order | None = None
    """The best result here of the trials that set hurdles; of others only those that are better go on."""
    setters: set[int] = field(default_factory=set)
    """These few trials."""
    waiting_setters: list[tuple[Order, int]] = field(default_factory=list)
    """Those of them that wait, as in `waiting`."""

    def record(self, trial_id: int, order: Order) -> None:
        """A trial got here and does not wait."""
        insort(self.results, order)

    def raise_hurdle(self, trial_id: int, order: Order) -> None:
        """A trial that sets hurdles got here."""
        self.setters.add(trial_id)
        if is_finite(order) and (self.hurdle is None or order < self.hurdle):
            self.hurdle = order

    def park(self, trial_id: int, order: Order) -> None:
        """A trial got here and waits for a promotion; one that diverged is recorded but never promoted."""
        self.record(trial_id, order)
        if is_finite(order):
            heappush(self.waiting, (order, trial_id))
            if trial_id in self.setters:
                heappush(self.waiting_setters, (order, trial_id))

    def promotable(self) -> int | None:
        """The best waiting trial that clears the hurdle, if it is among those that may go on."""
        if len(self.results) < 2 or not self.waiting:
            return None
        order, trial_id = self.waiting[0]
        if not self.clears(trial_id, order):  # then no other does but those that set hurdles
            if not self.waiting_setters:
                return None
            order, trial_id = self.waiting_setters[0]
        return trial_id if self._is_ahead(order) else None

    def alone(self) -> int | None:
        """The trial that waits here, where no other has ever been, and clears the hurdle."""
        if len(self.results) != 1 or not self.waiting:
            return None
        order, trial_id = self.waiting[0]
        return trial_id if self.clears(trial_id, order) else None

    def all_promotable(self) -> Iterator[int]:
        """The waiting trials that clear the hurdle and are among those that may go on, the best first."""
        heap = self.waiting
        near = [(*heap[0], 0)] if heap and len(self.results) >= 2 else []  # none is better than the one it hangs from
        while near:
            order, trial_id, place = heappop(near)
            if not self._is_ahead(order):
                return
            if self.clears(trial_id, order):
                yield trial_id
            for below in range(2 * place + 1, min(2 * place + 3, len(heap))):
                heappush(near, (*heap[below], below))

    def clears(self, trial_id: int, order: Order) -> bool:
        """Is it better than the trials that set hurdles, or one of them?"""
        return self.hurdle is None or trial_id in self.setters or order < self.hurdle

    def remove(self, trial_id: int) -> None:
        """The trial no longer waits here. Its result stays and counts among all."""
        for heap in (self.waiting, self.waiting_setters):
            if heap and heap[0][1] == trial_id:  # the best, which is promoted
                heappop(heap)
            else:
                heap[:] = [entry for entry in heap if entry[1] != trial_id]
                heapify(heap)

    def passes(self, order: Order) -> bool:
        """Stopping rule, asked after `record`: does a trial with this result go on?"""
        return is_finite(order) and (len(self.results) < 2 or self._is_ahead(order))

    def _is_ahead(self, order: Order) -> bool:
        """Are at most (n - 1) q of the results better? Then the one that has so many before it is not."""
        return self.results[int((len(self.results) - 1) * self.quantile)] >= order


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
