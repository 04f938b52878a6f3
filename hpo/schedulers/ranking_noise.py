"""Estimation of the noise in learning curves from pairs of trials whose order changes and changes back (used by PASHA)."""

import math
from bisect import insort
from dataclasses import dataclass

PERCENTILE = 90


@dataclass(slots=True)
class _Pair:
    """A comparison of the losses of two trials, over the resources that both have reported."""

    ahead: int
    """1 if the trial with the lower id was worse when the two last differed, else -1 (0 if they never differed)."""
    turns: int = 0
    """Number of times that the order of the two trials has changed."""
    difference: float = 0.0
    """Absolute difference of the losses at the last resource that both have reported."""


class RankingNoise:
    """A record of the losses of trials between two rungs, from which the noise of a loss is estimated.

    Losses of one trial must be added in ascending order of resource.
    """

    def __init__(self) -> None:
        self._losses: dict[int, dict[int, float]] = {}  # by resource and trial id
        self._pairs: dict[tuple[int, int], _Pair] = {}
        self._turned: set[tuple[int, int]] = set()  # pairs whose order has changed and changed back

    def add(self, trial_id: int, resource: int, loss: float) -> None:
        """Add a finite loss of a trial at a resource, and compare it with the other trials there."""
        here = self._losses.setdefault(resource, {})
        for other, value in here.items():
            low, high = (trial_id, other) if trial_id < other else (other, trial_id)
            self._meet((low, high), loss - value if low == trial_id else value - loss)
        here[trial_id] = loss

    def _meet(self, key: tuple[int, int], difference: float) -> None:
        sign = (difference > 0) - (difference < 0)
        pair = self._pairs.get(key)
        if pair is None:
            self._pairs[key] = _Pair(sign, 0, abs(difference))
            return
        pair.difference = abs(difference)
        if sign and pair.ahead and sign != pair.ahead:
            pair.turns += 1
            if pair.turns == 2:
                self._turned.add(key)
        pair.ahead = sign or pair.ahead

    def noise(self) -> float | None:
        """Return the 90 % quantile of the last loss differences of pairs whose order changed back and forth, or None."""
        differences: list[float] = []
        for key in self._turned:
            insort(differences, self._pairs[key].difference)
        if not differences:
            return None
        place = PERCENTILE * (len(differences) - 1) / 100
        low, high = differences[math.floor(place)], differences[math.ceil(place)]
        return low + (high - low) * (place - math.floor(place))
