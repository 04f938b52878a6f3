"""Random search (Bergstra & Bengio, JMLR 13, 2012): independent draws, without repetition."""

from hpo.events.values import Configuration
from hpo.searchers.base import Searcher


class RandomSearcher(Searcher):
    """Draws each configuration uniformly on the scales of the space, or from the priors of those that have one."""

    takes_objectives = True
    takes_box = True

    def _next(self) -> Configuration | None:
        return self.draw_new("initial", prior=True)
