"""Random search (Bergstra & Bengio, JMLR 13, 2012): independent draws, without repetition."""

from hpo.events.types import Configuration
from hpo.searchers.base import Searcher


class RandomSearcher(Searcher):
    """Random search: draws each hyperparameter from its prior, or uniformly on its scale if it has none."""

    takes_objectives = True
    takes_box = True

    def _next(self) -> Configuration | None:
        return self.draw_new("initial", prior=True)
