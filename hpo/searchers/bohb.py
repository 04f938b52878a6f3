"""The searcher of BOHB (Falkner et al., "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML 2018)."""

from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.randomness import Randomness
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.searchers.tpe import DensitySearcher
from hpo.space.search_space import SearchSpace
from hpo.surrogate.arrays import Integers
from hpo.surrogate.parzen import Mixture


class BOHBSearcher(DensitySearcher):
    """BOHB: kernel density estimates of good and bad configurations, at the highest resource with enough results.

    Of n results there, the best `share` are good and the others bad, but each group has at least d + 1, for d
    hyperparameters. Bandwidths follow the normal reference rule. Candidates are drawn around good configurations, with
    the bandwidths of numeric hyperparameters multiplied by `bandwidth_factor`. A fraction `random_fraction` of the
    proposals is random.

    Choices that the paper leaves open: configurations that violate constraints rank behind the others, by the size of the
    violation. An ordinal hyperparameter is treated as a number. The bandwidth of a categorical one is at most that of a
    uniform kernel. Conditional hyperparameters are treated as in `hpo.surrogate.parzen`.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        num_candidates: Number of candidates compared for one proposal.
        share: Fraction of the results that count as good.
        random_fraction: Fraction of proposals that are random.
        bandwidth_factor: Multiplier of the bandwidths from which candidates are drawn, at least 1.
        min_bandwidth: Smallest bandwidth, as a fraction of a hyperparameter's range.
        **options: Arguments of `ModelSearcher`.

    Raises:
        ConfigError: An argument is out of range.
    """

    capabilities = SearcherCapabilities(priors=False, violations="split")

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        num_candidates: int = 64,
        share: float = 0.15,
        random_fraction: float = 1 / 3,
        bandwidth_factor: float = 3.0,
        min_bandwidth: float = 1e-3,
        **options: Any,
    ) -> None:
        super().__init__(
            space, randomness, num_candidates=num_candidates, share=share, random_fraction=random_fraction, **options
        )
        if not bandwidth_factor >= 1:
            raise ConfigError(f"method.searcher.bandwidth_factor={bandwidth_factor}: use 1 or more")
        if not 0 < min_bandwidth <= 1:
            raise ConfigError(f"method.searcher.min_bandwidth={min_bandwidth}: use a number above 0 and up to 1")
        self.bandwidth_factor, self.min_bandwidth = bandwidth_factor, min_bandwidth

    def _uses_model(self) -> bool:
        return super()._uses_model() and self.split() is not None

    def split(self) -> tuple[Integers, Integers] | None:
        """Return the ids of good and of bad trials, best first; None if no resource has enough results."""
        least = len(self._estimates.pool.domains) + 1
        for resource in reversed(self.history.levels(len(self.history))):
            here = np.flatnonzero(self.history.resources.first() == resource)
            count = len(here)
            good, bad = max(least, int(self.share * count + 1e-9)), max(least, int((1 - self.share) * count + 1e-9))
            if count - good >= least:
                losses, violations = self.history.losses.first()[here], self.history.violations.first()[here]
                trials = self.history.trials.first()[here]
                ranked = trials[np.lexsort((trials, losses, violations))]
                return ranked[:good], ranked[good : good + bad]
        return None

    def _mixtures(self) -> tuple[Mixture, Mixture, Mixture]:
        parts, estimate = self.split(), self._estimates.reference
        assert parts is not None
        good, bad = (self._observed(part, np.ones(len(part))) for part in parts)
        least = self.min_bandwidth
        wide = estimate(good, least=least, widened=self.bandwidth_factor)
        return wide, estimate(good, least=least), estimate(bad, least=least)
