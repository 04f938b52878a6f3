"""Random search (Bergstra & Bengio, JMLR 13, 2012): independent draws, without repetition."""

from hpo.events.types import Configuration
from hpo.searchers.base import Searcher
from hpo.searchers.capabilities import SearcherCapabilities


class RandomSearcher(Searcher):
    """Random search: draws each hyperparameter from its prior, or uniformly on its scale if it has none."""

    capabilities = SearcherCapabilities(violations="random", objectives=True, box=True)

    def _next(self) -> Configuration | None:
        return self.draw_new("initial", prior=True)
