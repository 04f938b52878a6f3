"""Configurations as vectors that a kernel can measure distances between."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hpo.domains import Choice
from hpo.space import SearchSpace
from hpo.trial import Configuration

Floats = NDArray[np.float64]


class Encoding:
    """One column in [0, 1] for each numeric or ordered hyperparameter and each choice of two.

    A choice of more values becomes one-hot columns that share a length-scale, divided by √2: two different values are
    at distance 1, as the ends of a numeric one are.

    Attributes:
        dimension: number of length-scales; hyperparameters with a single value have none.
        groups: shape (columns,), which length-scale each column belongs to.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        groups: list[int] = []
        self.dimension = 0
        for domain in space.domains.values():
            if domain.size == 1:
                continue
            one_hot = isinstance(domain, Choice) and not domain.ordered and domain.size > 2
            groups += [self.dimension] * (int(domain.size) if one_hot else 1)
            self.dimension += 1
        self.groups = np.array(groups, dtype=np.intp)

    def encode(self, configurations: Sequence[Configuration]) -> Floats:
        """Shape (n, columns)."""
        rows = [self._row(configuration) for configuration in configurations]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.groups))

    def _row(self, configuration: Configuration) -> list[float]:
        row: list[float] = []
        for name, domain in self._space.domains.items():
            if domain.size == 1:
                continue
            value = configuration[name]
            if not isinstance(domain, Choice):
                row.append(domain.encode(value))
            elif domain.ordered or domain.size == 2:
                row.append(domain.index(value) / (len(domain.choices) - 1))
            else:
                chosen = domain.index(value)
                row += [math.sqrt(0.5) * (index == chosen) for index in range(len(domain.choices))]
        return row
