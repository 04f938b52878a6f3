"""Random search (Bergstra & Bengio, JMLR 13, 2012): independent draws, without repetition."""

from hpo.searchers.base import Searcher
from hpo.trial import Configuration


class RandomSearcher(Searcher):
    """Draws each configuration uniformly on the scales of the space."""

    def _next(self) -> Configuration | None:
        return self.draw_new("initial")
