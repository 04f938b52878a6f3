"""Many candidates at once, as points of the unit cube: only the one that is chosen becomes a configuration.

The moves are those of hpo.surrogate.candidates; a column is a hyperparameter with more than one value, in the order of the
space, and holds what its domain's `encode` gives.
"""

import math
from collections.abc import Sequence

import numpy as np

from hpo.domains import Choice
from hpo.space import SearchSpace
from hpo.surrogate.candidates import DECAY, LEVELS, RATE
from hpo.surrogate.kernel import Floats
from hpo.trial import Configuration

FINE = 4096
"""A finite domain of more values is treated as continuous until the choice is made."""


class Pool:
    """Draws, moves and encodes points of a space.

    Args:
        space: what is searched.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._domains = {name: domain for name, domain in space.domains.items() if domain.size > 1}
        self._values = [
            np.sort([domain.encode(value) for value in domain.values(int(domain.size))])
            if domain.size <= FINE
            else None
            for domain in self._domains.values()
        ]

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        """Uniform points, shape (count, d)."""
        return self._snap(rng.random((count, len(self._domains))))

    def points(self, configurations: Sequence[Configuration]) -> Floats:
        """Where configurations lie, shape (n, d)."""
        rows = [
            [d.encode(configuration[name]) for name, d in self._domains.items()] for configuration in configurations
        ]
        return np.array(rows).reshape(len(rows), len(self._domains))

    def mutate(self, rng: np.random.Generator, parents: Floats) -> Floats:
        """A neighbour of each point: at least one coordinate is moved."""
        shape = parents.shape
        count, dimension = shape
        moved = rng.random(shape) < max(1 / dimension, RATE)
        moved[np.arange(count), rng.integers(dimension, size=count)] = True
        sizes = np.minimum([domain.size for domain in self._domains.values()], LEVELS)
        levels = np.minimum(rng.geometric(DECAY, shape), np.maximum(sizes // 2, 1)).astype(float)
        continuous = np.array([math.isinf(domain.size) for domain in self._domains.values()])
        levels -= rng.random(shape) * continuous
        steps = levels / sizes * np.where(rng.random(shape) < 0.5, 1.0, -1.0)
        there = parents + steps
        there = np.clip(np.where((there < 0) | (there > 1), parents - steps, there), 0.0, 1.0)
        for column, domain in enumerate(self._domains.values()):
            if isinstance(domain, Choice) and not domain.ordered:
                size = len(domain.choices)
                other = (np.floor(parents[:, column] * size) + 1 + rng.integers(size - 1, size=count)) % size
                there[:, column] = (other + 0.5) / size
        return np.where(moved, self._snap(there), parents)

    def _snap(self, points: Floats) -> Floats:
        """The nearest point that a configuration has."""
        for column, values in enumerate(self._values):
            if values is not None:
                middles = (values[1:] + values[:-1]) / 2
                points[:, column] = values[np.searchsorted(middles, points[:, column])]
        return points

    def encode(self, points: Floats) -> Floats:
        """What Encoding gives for their configurations, shape (n, columns)."""
        columns: list[Floats] = []
        for column, domain in enumerate(self._domains.values()):
            unit = points[:, column]
            if not isinstance(domain, Choice):
                columns.append(unit[:, None])
                continue
            size = len(domain.choices)
            index = np.floor(unit * size)
            if domain.ordered or size == 2:
                columns.append(index[:, None] / (size - 1))
            else:
                columns.append(math.sqrt(0.5) * (index[:, None] == np.arange(size)[None, :]))
        return np.concatenate(columns, axis=1)

    def decode(self, point: Floats) -> Configuration:
        """The configuration at a point, shape (d,)."""
        units = iter(point.tolist())
        return {
            name: domain.decode(next(units)) if domain.size > 1 else domain.default
            for name, domain in self._space.domains.items()
        }
