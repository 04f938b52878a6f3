"""The searcher of ASHA-GP-TIME: that of ASHA-GP, adapted to costs that differ by orders of magnitude."""

from typing import Any

from hpo.randomness import Randomness
from hpo.searchers.gaussian_process import GaussianProcessSearcher
from hpo.space.search_space import SearchSpace
from hpo.surrogate.cost import UnsmoothedCosts


class TimedSearcher(GaussianProcessSearcher):
    """GaussianProcessSearcher with unsmoothed costs; if no costs are reported, both propose the same.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        **options: Arguments of `GaussianProcessSearcher`.
    """

    def __init__(self, space: SearchSpace, randomness: Randomness, **options: Any) -> None:
        super().__init__(space, randomness, **options)
        self._named = UnsmoothedCosts()
