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

ANGLE = math.pi / 3
"""Between the ends of a numeric hyperparameter that is not always used: a chord of length 1."""


class Encoding:
    """One column in [0, 1] for each numeric or ordered hyperparameter and each choice of two.

    A choice of more values becomes one-hot columns that share a length-scale, divided by √2: two different values are
    at distance 1, as the ends of a numeric one are.

    One that is not always used is at distance 1 from all its values where it is not: a choice has one more value, and a
    numeric or ordered one lies on an arc of the unit circle, whose centre is where it is not used (after Hutter & Osborne,
    "A Kernel for Hierarchical Parameter Spaces", 2013). A chord of the arc is within .0182 of the distance on the scale.

    Attributes:
        dimension: number of length-scales; hyperparameters with a single value have none.
        groups: shape (columns,), which length-scale each column belongs to.
        columns: where those of each hyperparameter stand.
    """

    def __init__(self, space: SearchSpace) -> None:
        groups: list[int] = []
        self.columns: dict[str, slice] = {}
        self.dimension = 0
        self._numeric: dict[str, Domain] = {}
        self._arcs: dict[str, Domain] = {}  # those that are not always used
        self._rows: dict[str, dict[tuple[type, Any], list[float]]] = {}  # of each choice, by type and value
        self._absent: dict[str, list[float]] = {}
        for name, domain in space.domains.items():
            if domain.size == 1:
                continue
            conditional = name in space.conditions
            if isinstance(domain, Choice):
                columns = columns_of(domain, conditional=conditional)
                self._rows[name] = {(type(v), v): row for v, row in zip(domain.choices, columns, strict=False)}
                if conditional:
                    self._absent[name] = columns[-1]
                width = len(columns[0])
            elif conditional:
                self._arcs[name], self._absent[name], width = domain, [0.0, 0.0], 2
            else:
                self._numeric[name], width = domain, 1
            self.columns[name] = slice(len(groups), len(groups) + width)
            groups += [self.dimension] * width
            self.dimension += 1
        self._names = [name for name, domain in space.domains.items() if domain.size > 1]
        self.groups = np.array(groups, dtype=np.intp)

    def encode(self, configurations: Sequence[Configuration]) -> Floats:
        """Shape (n, columns)."""
        rows = [self._row(configuration) for configuration in configurations]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.groups))

    def distance(self, one: Configuration, other: Configuration) -> float:
        """Of the hyperparameter in which two configurations differ most: 1 is all of its range, or another choice."""
        squares = np.square(np.subtract(*self.encode([one, other])))
        return math.sqrt(np.bincount(self.groups, squares).max(initial=0.0))

    def _row(self, configuration: Configuration) -> list[float]:
        row: list[float] = []
        absent = self._absent
        for name in self._names:
            if absent and name not in configuration:
                row += absent[name]
                continue
            value = configuration[name]
            if name in self._numeric:
                row.append(self._numeric[name].encode(value))
            elif name in self._rows:
                row += self._rows[name][type(value), value]
            else:
                row += _on_arc(self._arcs[name].encode(value))
        return row


def columns_of(choice: Choice, *, conditional: bool = False) -> list[list[float]]:
    """The columns of each value; of one that is not always used the last are for where it is not."""
    count = len(choice.choices)
    if choice.ordered and conditional:
        return [*(_on_arc(index / (count - 1)) for index in range(count)), [0.0, 0.0]]
    if not conditional and (choice.ordered or count == 2):
        return [[index / (count - 1)] for index in range(count)]
    count += conditional
    return [[math.sqrt(0.5) * (index == chosen) for index in range(count)] for chosen in range(count)]


def _on_arc(unit: float) -> list[float]:
    return [math.cos(unit * ANGLE), math.sin(unit * ANGLE)]
