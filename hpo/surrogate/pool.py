"""Many candidates at once, as points of the unit cube: only the one that is chosen becomes a configuration.

The moves are those of hpo.surrogate.candidates; a column is a hyperparameter with more than one value, in the order of the
space, and holds what its domain's `encode` gives.
"""

from collections.abc import Sequence

import numpy as np

from hpo.events.values import Configuration
from hpo.space.domains import Choice
from hpo.space.search_space import SearchSpace
from hpo.surrogate.candidates import DECAY, LEVELS, RATE
from hpo.surrogate.encoding import columns_of
from hpo.surrogate.kernel import Floats, Integers

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
        domains = list(self._domains.values())
        # Of finite domains: column, points, and the borders between them.
        self._values: list[tuple[int, Floats, Floats]] = []
        for column, domain in enumerate(domains):
            if domain.size <= FINE:
                values = np.sort([domain.encode(value) for value in domain.values(int(domain.size))])
                self._values.append((column, values, (values[1:] + values[:-1]) / 2))
        self._unordered = [  # choices: column, and the point of each value
            (column, (np.arange(len(domain.choices)) + 0.5) / len(domain.choices))
            for column, domain in enumerate(domains)
            if isinstance(domain, Choice) and not domain.ordered
        ]
        self._codes = [  # of choices: column, and what Encoding has for each value
            (column, np.array(columns_of(domain)))
            for column, domain in enumerate(domains)
            if isinstance(domain, Choice)
        ]
        # How a column is moved: levels in all, at most so many at once, and is it by a fraction of one.
        sizes = np.array([float(domain.size) for domain in domains])
        self._levels = np.minimum(sizes, LEVELS)
        self._farthest = np.maximum(self._levels // 2, 1.0)
        self._fractions = sizes > LEVELS

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
        levels = np.minimum(rng.geometric(DECAY, shape), self._farthest)
        levels -= rng.random(shape) * self._fractions
        np.copysign(levels, 0.5 - rng.random(shape), out=levels)
        steps = levels / self._levels
        there = parents + steps
        np.subtract(parents, steps, out=there, where=(there < 0) | (there > 1))
        np.minimum(np.maximum(there, 0.0, out=there), 1.0, out=there)
        there = self._snap(there)
        for column, values, borders in self._values:
            self._step(there[:, column], borders.searchsorted(parents[:, column]), levels[:, column], values, borders)
        for column, centres in self._unordered:
            size = len(centres)
            other = (parents[:, column] * size).astype(np.intp)
            other += rng.integers(1, size, size=count)
            there[:, column] = centres[other % size]
        return np.where(moved, there, parents)

    @staticmethod
    def _step(there: Floats, index: Integers, levels: Floats, values: Floats, borders: Floats) -> None:
        """Move among few values by whole ones; among more, to the next where a step led back. Changes `there`."""
        if len(values) <= LEVELS:
            to = index + levels.astype(np.intp)
            there[:] = values[np.where((to < 0) | (to >= len(values)), index - levels.astype(np.intp), to)]
            return
        stayed = np.flatnonzero(borders.searchsorted(there) == index)
        ahead = np.where(levels[stayed] > 0, 1, -1)
        to = index[stayed] + ahead
        there[stayed] = values[np.where((to < 0) | (to >= len(values)), index[stayed] - ahead, to)]

    def _snap(self, points: Floats) -> Floats:
        """The nearest point that a configuration has."""
        for column, values, borders in self._values:
            points[:, column] = values[borders.searchsorted(points[:, column])]
        return points

    def encode(self, points: Floats) -> Floats:
        """What Encoding gives for their configurations, shape (n, columns)."""
        if not self._codes:
            return points
        columns: list[Floats] = []
        done = 0
        for column, codes in self._codes:
            index = (points[:, column] * len(codes)).astype(np.intp)
            columns += points[:, done:column], codes[np.minimum(index, len(codes) - 1)]
            done = column + 1
        return np.concatenate((*columns, points[:, done:]), axis=1)

    def decode(self, point: Floats) -> Configuration:
        """The configuration at a point, shape (d,)."""
        units = iter(point.tolist())
        return {
            name: domain.decode(next(units)) if domain.size > 1 else domain.default
            for name, domain in self._space.domains.items()
        }
