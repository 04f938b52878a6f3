"""Progressive ASHA (Bohdal et al., "PASHA: Efficient HPO and NAS with Progressive Resource Allocation", ICLR 2023)."""

import math

from hpo.events.outcome import ReportOutcome
from hpo.events.types import Decision, Trial
from hpo.randomness import Randomness
from hpo.schedulers.asha import ASHA
from hpo.schedulers.ranking_noise import RankingNoise
from hpo.schedulers.rungs import Order
from hpo.searchers.base import Searcher


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
