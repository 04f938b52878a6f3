"""Rungs of successive halving: their resources, and the rules that compare trials at a rung.

Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020), Algorithm 2, with one change. Of n
trials at a rung with quantile q, those may continue that have at most (n - 1) q strictly better ones. The best of two
can therefore continue at once, while the paper's floor(n / eta) waits for eta trials. For single losses, this means
those that are not above the interpolated q-quantile; the rule works for any order.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from hpo.errors import ConfigError

Order = tuple[float, ...]
"""The value by which results are compared (`ReportOutcome.order`): lower is better, infinite if the trial never continues."""


def rung_levels(min_resource: int, max_resource: int, reduction_factor: float) -> list[int]:
    """Return the resources of the rungs: r_min, r_min·η, r_min·η², … rounded, all below `max_resource`.

    Raises:
        ConfigError: The arguments leave no rung.
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
    """Whether a result is finite, so that its trial may continue."""
    return all(map(math.isfinite, order))


@dataclass(slots=True)
class Rung:
    """The results of trials at one rung, and the trials that wait there for promotion."""

    level: int
    quantile: float
    """Fraction of the trials that may continue: the resource of this rung divided by that of the next."""
    results: list[Order] = field(default_factory=list)
    """All results recorded at this rung, ascending."""
    waiting: list[tuple[Order, int]] = field(default_factory=list)
    """Heap of (result, trial id) for trials paused here with a finite result and not yet promoted; the best is first."""
    hurdle: Order | None = None
    """The best result here of the trials that set a hurdle; other trials must beat it to continue. None if there is none."""
    hurdle_trials: set[int] = field(default_factory=set)
    """Ids of the few trials whose best result is the hurdle, which other trials must beat."""
    waiting_setters: list[tuple[Order, int]] = field(default_factory=list)
    """Heap of (result, trial id) of those waiting trials whose best result is the hurdle, as in `waiting`."""

    def record(self, trial_id: int, order: Order) -> None:
        """Record the result of a trial that reached this rung and does not wait for promotion."""
        insort(self.results, order)

    def raise_hurdle(self, trial_id: int, order: Order) -> None:
        """Record the result of a trial that sets the hurdle, which other trials must beat here to continue."""
        self.hurdle_trials.add(trial_id)
        if is_finite(order) and (self.hurdle is None or order < self.hurdle):
            self.hurdle = order

    def record_waiting(self, trial_id: int, order: Order) -> None:
        """Record the result of a trial that now waits here for promotion; a diverged trial is recorded but never promoted."""
        self.record(trial_id, order)
        if is_finite(order):
            heappush(self.waiting, (order, trial_id))
            if trial_id in self.hurdle_trials:
                heappush(self.waiting_setters, (order, trial_id))

    def promotable(self) -> int | None:
        """Return the best waiting trial if it may be promoted: within the rung's quantile and past the hurdle, if any."""
        if len(self.results) < 2 or not self.waiting:
            return None
        order, trial_id = self.waiting[0]
        if not self.clears_hurdle(trial_id, order):  # then only trials that set the hurdle can clear it
            if not self.waiting_setters:
                return None
            order, trial_id = self.waiting_setters[0]
        return trial_id if self._is_ahead(order) else None

    def alone(self) -> int | None:
        """Return the waiting trial if it is the only one that ever reached this rung and clears the hurdle, else None."""
        if len(self.results) != 1 or not self.waiting:
            return None
        order, trial_id = self.waiting[0]
        return trial_id if self.clears_hurdle(trial_id, order) else None

    def all_promotable(self) -> Iterator[int]:
        """Yield all waiting trials that are within the rung's quantile and clear the hurdle (if any), the best first."""
        heap = self.waiting
        near = [(*heap[0], 0)] if heap and len(self.results) >= 2 else []  # no child beats its parent in a heap
        while near:
            order, trial_id, place = heappop(near)
            if not self._is_ahead(order):
                return
            if self.clears_hurdle(trial_id, order):
                yield trial_id
            for below in range(2 * place + 1, min(2 * place + 3, len(heap))):
                heappush(near, (*heap[below], below))

    def clears_hurdle(self, trial_id: int, order: Order) -> bool:
        """Whether a trial's result beats the hurdle, if there is one, or the trial is one of those that set it."""
        return self.hurdle is None or trial_id in self.hurdle_trials or order < self.hurdle

    def remove(self, trial_id: int) -> None:
        """Record that a trial no longer waits for promotion; its result still counts."""
        for heap in (self.waiting, self.waiting_setters):
            if heap and heap[0][1] == trial_id:  # usually the best one, which is being promoted
                heappop(heap)
            else:
                heap[:] = [entry for entry in heap if entry[1] != trial_id]
                heapify(heap)

    def passes(self, order: Order) -> bool:
        """Whether a trial with this result, which must be recorded already, continues under the stopping rule."""
        return is_finite(order) and (len(self.results) < 2 or self._is_ahead(order))

    def _is_ahead(self, order: Order) -> bool:
        """Whether at most a fraction `quantile` of the other results is better than this one."""
        return self.results[int((len(self.results) - 1) * self.quantile)] >= order


def make_rungs(levels: Sequence[int], max_resource: int) -> list[Rung]:
    """Return empty rungs in ascending order, each with its resource divided by the next one's as its quantile."""
    following = [*levels, max_resource][1:]
    return [Rung(level, level / after) for level, after in zip(levels, following, strict=True)]


def next_level(levels: Sequence[int], resource: int, max_resource: int) -> int:
    """Return the resource of the first rung above `resource`, or the maximum resource."""
    index = bisect_left(levels, resource + 1)
    return levels[index] if index < len(levels) else max_resource


def bracket_probabilities(levels: Sequence[int], max_resource: int, brackets: int) -> list[float]:
    """Return the probabilities that a new trial skips the s lowest rungs, for s = 0 .. brackets-1.

    They are proportional to (K+1) / ((K+1-s) · r_s), the number of trials that bracket s starts in synchronous Hyperband
    (Li et al., JMLR 18, 2018, Algorithm 1). K is the number of rungs below the maximum.
    """
    resources = [*levels, max_resource]
    total = len(resources)
    weights = [total / ((total - s) * resources[s]) for s in range(brackets)]
    return [weight / sum(weights) for weight in weights]
