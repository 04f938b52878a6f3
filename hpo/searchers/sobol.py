"""Scrambled Sobol' points (Owen, 1998): random search that covers the space more evenly."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from hpo.events.values import Configuration
from hpo.randomness import Randomness
from hpo.searchers.base import Searcher
from hpo.space.search_space import SearchSpace

BLOCK = 64


class SobolSearcher(Searcher):
    """Walks along a Sobol' sequence scrambled by the seed, leaving out configurations that came before."""

    takes_objectives = True

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(space, randomness, points_to_evaluate=points_to_evaluate)
        self._points: list[Configuration] = []
        self._cursor = 0

    def _next(self) -> Configuration | None:
        # A bound that depends on the state alone, not on where the cursor stands: a replayed search stops there too.
        while self._cursor < 1000 + 10 * self.suggested:
            configuration = self._point(self._cursor)
            if not self.is_known(configuration):
                return configuration
            self._cursor += 1  # a known point stays known: moving on is no decision
        return self.draw_new("sobol")

    @cached_property
    def _engine(self) -> Any:
        from scipy.stats.qmc import Sobol  # 0.5 s, paid by those who use it

        seed = int(self.randomness.stream("sobol-scramble").integers(2**63))
        return Sobol(len(self.space), scramble=True, rng=seed)

    def _point(self, index: int) -> Configuration:
        while index >= len(self._points):
            self._points += [self.space.decode(units) for units in self._engine.random(BLOCK).tolist()]
        return self._points[index]
