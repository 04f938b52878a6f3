"""How much of a difference between two trials is noise: told by those that overtake each other there and back."""

import math
from bisect import insort
from dataclasses import dataclass

PERCENTILE = 90


@dataclass(slots=True)
class _Pair:
    """Two trials, as far as both have got."""

    ahead: int
    """1 where the lower number was worse when last they differed, else -1."""
    turns: int = 0
    """How often that has changed."""
    difference: float = 0.0
    """At the last resource that both have reported at."""


class Crossings:
    """Losses of trials at the resources of an interval, told as they come, those of a trial in ascending order."""

    def __init__(self) -> None:
        self._losses: dict[int, dict[int, float]] = {}  # at each resource, by trial
        self._pairs: dict[tuple[int, int], _Pair] = {}
        self._turned: set[tuple[int, int]] = set()  # pairs that have changed there and back

    def add(self, trial_id: int, resource: int, loss: float) -> None:
        """A finite loss of a trial."""
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
        """The 90 % quantile of the last differences of pairs that changed order there and back; None without any."""
        differences: list[float] = []
        for key in self._turned:
            insort(differences, self._pairs[key].difference)
        if not differences:
            return None
        place = PERCENTILE * (len(differences) - 1) / 100
        low, high = differences[math.floor(place)], differences[math.ceil(place)]
        return low + (high - low) * (place - math.floor(place))
