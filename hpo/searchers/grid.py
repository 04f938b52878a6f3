"""Grid search: every combination of values once, in an order shuffled by the seed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.types import Configuration
from hpo.randomness import Randomness
from hpo.searchers.base import Searcher
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.space.search_space import SearchSpace


class GridSearcher(Searcher):
    """Grid search over the Cartesian product of all domains, with at most `num_samples` values of each numeric one.

    The order is an affine walk through the product, so that a grid of any size takes no memory.

    Args:
        space: Search space.
        randomness: Source of the order.
        points_to_evaluate: Configurations to propose before the grid.
        num_samples: Number of values of each numeric hyperparameter.

    Raises:
        ConfigError: `num_samples` is not positive.
    """

    capabilities = SearcherCapabilities(violations="grid", objectives=True)
    shared_random = 0  # random points would not lie on the grid

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        num_samples: int = 5,
    ) -> None:
        super().__init__(space, randomness, points_to_evaluate=points_to_evaluate)
        if num_samples < 1:
            raise ConfigError(f"method.searcher.num_samples={num_samples}: use a positive number")
        self._grid = space.grid(num_samples)
        self.grid_size = int(self._grid.count)
        rng = randomness.stream("grid")
        self._offset = _below(self.grid_size, rng)
        self._stride = 1 + _below(self.grid_size, rng)
        while math.gcd(self._stride, self.grid_size) != 1:
            self._stride += 1
        self._cursor = 0

    def _next(self) -> Configuration | None:
        while self._cursor < self.grid_size:
            index = (self._offset + self._cursor * self._stride) % self.grid_size
            configuration = self._grid.at(index)
            if not self.is_known(configuration):
                return configuration
            self._cursor += 1
        return None


def _below(size: int, rng: np.random.Generator) -> int:
    """Draw a random integer from 0 to `size` - 1, also if `size` exceeds NumPy's integers."""
    if size < 2**63:
        return int(rng.integers(size))
    return int.from_bytes(rng.bytes(size.bit_length() // 8 + 8), "little") % size
