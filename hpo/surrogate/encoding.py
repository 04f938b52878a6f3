"""Configurations as vectors that a kernel can measure distances between."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.events.values import Configuration
from hpo.space.domains import Choice, Domain
from hpo.space.search_space import SearchSpace

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
        groups: list[int] = []
        self.dimension = 0
        self._numeric: dict[str, Domain] = {}
        self._columns: dict[str, dict[tuple[type, Any], list[float]]] = {}  # of each choice, by type and value
        for name, domain in space.domains.items():
            if domain.size == 1:
                continue
            if isinstance(domain, Choice):
                columns = columns_of(domain)
                self._columns[name] = {(type(v), v): row for v, row in zip(domain.choices, columns, strict=True)}
                groups += [self.dimension] * len(columns[0])
            else:
                self._numeric[name] = domain
                groups.append(self.dimension)
            self.dimension += 1
        self._names = [name for name, domain in space.domains.items() if domain.size > 1]
        self.groups = np.array(groups, dtype=np.intp)

    def encode(self, configurations: Sequence[Configuration]) -> Floats:
        """Shape (n, columns)."""
        rows = [self._row(configuration) for configuration in configurations]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.groups))

    def _row(self, configuration: Configuration) -> list[float]:
        row: list[float] = []
        for name in self._names:
            value = configuration[name]
            if name in self._numeric:
                row.append(self._numeric[name].encode(value))
            else:
                row += self._columns[name][type(value), value]
        return row


def columns_of(choice: Choice) -> list[list[float]]:
    """The columns of each value."""
    count = len(choice.choices)
    if choice.ordered or count == 2:
        return [[index / (count - 1)] for index in range(count)]
    return [[math.sqrt(0.5) * (index == chosen) for index in range(count)] for chosen in range(count)]
