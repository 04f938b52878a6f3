"""Quasi-random search with scrambled Sobol' points (Owen, 1998), which cover the space more evenly than random ones."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from hpo.events.types import Configuration
from hpo.randomness import Randomness
from hpo.searchers.base import Searcher
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.space.search_space import SearchSpace

BLOCK = 64


class SobolSearcher(Searcher):
    """Quasi-random search along a Sobol' sequence that is scrambled by the seed; known configurations are skipped."""

    capabilities = SearcherCapabilities(violations="Sobol' points", objectives=True)

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
        # The bound depends on the recorded state alone and not on the cursor, so that a replayed search stops there too.
        while self._cursor < 1000 + 10 * self.suggested:
            configuration = self._point(self._cursor)
            if not self.is_known(configuration):
                return configuration
            self._cursor += 1  # known points stay known, so that skipping them changes no decision
        return self.draw_new("sobol")

    @cached_property
    def _engine(self) -> Any:
        from scipy.stats.qmc import Sobol  # takes 0.5 s to import; only this searcher needs it

        seed = int(self.randomness.stream("sobol-scramble").integers(2**63))
        return Sobol(len(self.space), scramble=True, rng=seed)

    def _point(self, index: int) -> Configuration:
        while index >= len(self._points):
            self._points += [self.space.decode(units) for units in self._engine.random(BLOCK).tolist()]
        return self._points[index]
