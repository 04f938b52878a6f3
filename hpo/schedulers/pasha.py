"""Progressive ASHA (Bohdal et al., "PASHA: Efficient HPO and NAS with Progressive Resource Allocation", ICLR 2023)."""

import math
from bisect import insort
from dataclasses import dataclass

from hpo.events.outcome import ReportOutcome
from hpo.events.types import Decision, Trial
from hpo.randomness import Randomness
from hpo.schedulers.asha import ASHA
from hpo.schedulers.rungs import Order
from hpo.searchers.base import Searcher

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


class PASHA(ASHA):
    """Progressive ASHA: trains trials only as long as their ranking still changes.

    No trial is promoted beyond a cap, which starts at the second rung. Whenever a trial reaches the cap, all trials that
    have reached it are ranked by their results there and by their results in the rung below. If the two rankings differ
    by more than noise, the cap rises by one rung. Noise is estimated as in the paper: the 90 % quantile of the
    differences of pairs of trials whose order changed and changed back between the two rungs.

    PASHA saves training for a given number of trials (`max_num_trials`) and is no better than ASHA in a given time. The best
    trial is often not fully trained; `hpo reproduce` trains it to the end.

    Args:
        searcher: Searcher that proposes configurations for new trials.
        max_resource: Resource R at which a trial is complete.
        randomness: Source of the experiment's random numbers.
        min_resource: Resource of the lowest rung.
        reduction_factor: Ratio η of each rung's resource to that of the rung below.

    Raises:
        ConfigError: The arguments leave no rung.
    """

    def __init__(
        self,
        searcher: Searcher,
        *,
        max_resource: int | None,
        randomness: Randomness,
        min_resource: int = 1,
        reduction_factor: float = 3,
    ) -> None:
        super().__init__(
            searcher,
            max_resource=max_resource,
            randomness=randomness,
            min_resource=min_resource,
            reduction_factor=reduction_factor,
        )
        self._top = 1  # index of the cap among the steps
        self._noise = 0.0
        self._crossings = RankingNoise()
        self._results: dict[int, dict[int, Order]] = {step: {} for step in self.steps}

    @property
    def cap(self) -> int:
        """The highest resource to which a trial is promoted for now; it rises while the ranking of trials changes."""
        return self.steps[self._top]

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """Decide as ASHA does, and raise the cap if the ranking of trials at the cap differs from that in the rung below."""
        before = self._reached[trial.id]
        decision = super().on_outcome(trial, resource, outcome)
        if self.cap == self.maximum:
            return decision
        below, after = self.steps[self._top - 1], self._reached[trial.id]
        if below < resource <= self.cap and math.isfinite(outcome.merit):
            self._crossings.add(trial.id, resource, outcome.loss)
        for step in self.steps:
            if before < step <= after:
                self._results[step][trial.id] = outcome.order
        if before < self.cap <= after and not self._is_settled():
            self._top += 1
            self._crossings = RankingNoise()
        return decision

    def _is_settled(self) -> bool:
        """Whether trials rank at the cap as they do in the rung below, apart from noise."""
        self._noise = self._noise if (noise := self._crossings.noise()) is None else noise
        there, below = self._results[self.cap], self._results[self.steps[self._top - 1]]
        ranked = sorted(there, key=lambda trial_id: (there[trial_id], trial_id))
        before = sorted(there, key=lambda trial_id: (below[trial_id], trial_id))
        return all(self._is_near(below[a], below[b]) for a, b in zip(ranked, before, strict=True))

    def _is_near(self, one: Order, other: Order) -> bool:
        return one == other or (one[:-1] == other[:-1] and abs(one[-1] - other[-1]) <= self._noise)
