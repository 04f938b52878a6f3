"""The searcher of ASHA-GP-TIME: that of ASHA-GP, for costs that differ by orders of magnitude."""

from typing import Any

from hpo.randomness import Randomness
from hpo.searchers.gaussian_process import GaussianProcessSearcher
from hpo.space.search_space import SearchSpace
from hpo.surrogate.cost import PlainCosts


class TimedSearcher(GaussianProcessSearcher):
    """As GaussianProcessSearcher, with costs as they are told; where none are it proposes the same.

    Args:
        space: what is searched.
        randomness: the experiment's streams.
        **options: of GaussianProcessSearcher.
    """

    def __init__(self, space: SearchSpace, randomness: Randomness, **options: Any) -> None:
        super().__init__(space, randomness, **options)
        self._named = PlainCosts()
