"""Progressive ASHA (Bohdal et al., "PASHA: Efficient HPO and NAS with Progressive Resource Allocation", ICLR 2023)."""

import math

from hpo.events.outcome import ReportOutcome
from hpo.events.values import Decision, Trial
from hpo.randomness import Randomness
from hpo.schedulers.asha import ASHA
from hpo.schedulers.crossings import Crossings
from hpo.schedulers.rungs import Order
from hpo.searchers.base import Searcher


class PASHA(ASHA):
    """ASHA that trains no further than it takes to rank trials.

    Nothing is promoted beyond a cap, which is the second rung at first. Whenever a trial gets there, the trials that have are
    ranked by their results there and in the rung below. Where one of them does not stand, but for noise, where it stood
    below, the cap goes up by one rung. Noise is what the paper says: the 90 % quantile of the differences of pairs of trials
    that changed order there and back on the way from one rung to the other.

    It saves training for a given number of trials (`max_num_trials`) and is no better than ASHA in a given time. The best
    trial has often not been trained to its end: `hpo reproduce` does that.

    Args:
        searcher: where new configurations come from.
        max_resource: the resource R at which a trial is complete.
        randomness: of the experiment.
        min_resource: the lowest rung.
        reduction_factor: η, the ratio of one rung to the one below.

    Raises:
        ConfigError: an argument leaves no rungs.
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
        self._crossings = Crossings()
        self._results: dict[int, dict[int, Order]] = {step: {} for step in self.steps}

    @property
    def cap(self) -> int:
        """No trial is sent further."""
        return self.steps[self._top]

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """As ASHA; the cap may go up."""
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
            self._crossings = Crossings()
        return decision

    def _is_settled(self) -> bool:
        """Do the trials stand at the cap as in the rung below?"""
        self._noise = self._noise if (noise := self._crossings.noise()) is None else noise
        there, below = self._results[self.cap], self._results[self.steps[self._top - 1]]
        ranked = sorted(there, key=lambda trial_id: (there[trial_id], trial_id))
        before = sorted(there, key=lambda trial_id: (below[trial_id], trial_id))
        return all(self._is_near(below[a], below[b]) for a, b in zip(ranked, before, strict=True))

    def _is_near(self, one: Order, other: Order) -> bool:
        return one == other or (one[:-1] == other[:-1] and abs(one[-1] - other[-1]) <= self._noise)
