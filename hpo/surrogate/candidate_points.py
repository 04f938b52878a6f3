"""Candidates handled in bulk, as points of the unit cube; only the chosen one becomes a configuration.

Mutations are those of hpo.surrogate.candidates. A column is a hyperparameter with more than one value, in the order of the
space. It holds what `Domain.encode` gives, or 0 where the hyperparameter is not used.
"""

from collections.abc import Callable, Sequence

import numpy as np

from hpo.events.types import Configuration
from hpo.space.domains import Choice, Domain
from hpo.space.search_space import SearchSpace
from hpo.surrogate.arrays import Flags, Floats, Integers
from hpo.surrogate.candidates import DECAY, LEVELS, RATE
from hpo.surrogate.conditional_activity import ConditionalActivity
from hpo.surrogate.encoding import ANGLE, columns_of

FINE = 4096
"""Number of values above which a finite domain is treated as continuous until the proposal is chosen."""


class CandidatePoints:
    """Sampling, mutation and encoding of points of a search space, as arrays.

    Args:
        space: Search space.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self.domains = {name: domain for name, domain in space.domains.items() if domain.size > 1}
        domains = list(self.domains.values())
        # Finite domains: (column, points of the values, borders between them).
        self._values: list[tuple[int, Floats, Floats]] = []
        for column, domain in enumerate(domains):
            if domain.size <= FINE:
                values = np.sort([domain.encode(value) for value in domain.values(int(domain.size))])
                self._values.append((column, values, (values[1:] + values[:-1]) / 2))
        self._unordered = [  # categorical: (column, point of each value)
            (column, (np.arange(len(domain.choices)) + 0.5) / len(domain.choices))
            for column, domain in enumerate(domains)
            if isinstance(domain, Choice) and not domain.ordered
        ]
        self._conditional = {column for column, name in enumerate(self.domains) if name in space.conditions}
        self.activity = None
        if space.conditions:
            self.activity = ConditionalActivity(space, {name: column for column, name in enumerate(self.domains)}, FINE)
        self._codes = [  # lists: (column, encoding of each value)
            (column, np.array(columns_of(domain, conditional=column in self._conditional)))
            for column, domain in enumerate(domains)
            if isinstance(domain, Choice)
        ]
        first = np.cumsum([0, *(self._width(column, domain) for column, domain in enumerate(domains))])
        self._continuous = [  # (column, first encoded column, whether encoded on an arc)
            (column, int(first[column]), column in self._conditional)
            for column, domain in enumerate(domains)
            if domain.size > FINE
        ]
        self.mixed = len(self._continuous) < len(domains)
        """Whether a hyperparameter has discrete values."""
        # Mutation of each column: number of levels, largest move, and whether moves are fractions of a level.
        sizes = np.array([float(domain.size) for domain in domains])
        self._levels = np.minimum(sizes, LEVELS)
        self._farthest = np.maximum(self._levels // 2, 1.0)
        self._fractions = sizes > LEVELS

    def _width(self, column: int, domain: Domain) -> int:
        if isinstance(domain, Choice):
            return len(columns_of(domain, conditional=column in self._conditional)[0])
        return 2 if column in self._conditional else 1

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        """Draw uniform points, shape (count, d)."""
        return self._clear(self._draw(rng, count))

    def _draw(self, rng: np.random.Generator, count: int) -> Floats:
        """Draw uniform points with a value for every hyperparameter, used or not."""
        return self._snap(rng.random((count, len(self.domains))))

    def _clear(self, points: Floats) -> Floats:
        """Set coordinates of unused hyperparameters to zero, so that points of the same configuration are equal."""
        return points if self.activity is None else np.where(self.activity.used(points), points, 0.0)

    def points(self, configurations: Sequence[Configuration]) -> Floats:
        """Return the points of the unit cube that stand for configurations, shape (n, d)."""
        rows = [
            [d.encode(configuration[name]) if name in configuration else 0.0 for name, d in self.domains.items()]
            for configuration in configurations
        ]
        return np.array(rows).reshape(len(rows), len(self.domains))

    def mutate(self, rng: np.random.Generator, parents: Floats) -> Floats:
        """Return a neighbour of each point, in which at least one coordinate in use is moved.

        Conditional hyperparameters that become used get a uniform value.
        """
        shape = parents.shape
        count, dimension = shape
        if self.activity is None:
            moved = rng.random(shape) < max(1 / dimension, RATE)
            moved[np.arange(count), rng.integers(dimension, size=count)] = True
        else:
            used = self.activity.used(parents)
            parents = np.where(used, parents, self._draw(rng, count))
            some = used.sum(axis=1)
            moved = used & (rng.random(shape) < np.maximum(1 / some, RATE)[:, None])
            nth = used.cumsum(axis=1) > rng.integers(some)[:, None]  # from the chosen one on
            moved[np.arange(count), nth.argmax(axis=1)] = True
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
        return self._clear(np.where(moved, there, parents))

    @staticmethod
    def _step(there: Floats, index: Integers, levels: Floats, values: Floats, borders: Floats) -> None:
        """Make moved coordinates of a finite domain land on another of its values; changes `there` in place.

        If there are few values, move by whole ones; if there are more, move at least to the next.
        """
        if len(values) <= LEVELS:
            to = index + levels.astype(np.intp)
            there[:] = values[np.where((to < 0) | (to >= len(values)), index - levels.astype(np.intp), to)]
            return
        stayed = np.flatnonzero(borders.searchsorted(there) == index)
        ahead = np.where(levels[stayed] > 0, 1, -1)
        to = index[stayed] + ahead
        there[stayed] = values[np.where((to < 0) | (to >= len(values)), index[stayed] - ahead, to)]

    def _snap(self, points: Floats) -> Floats:
        """Round points to the nearest ones that correspond to a configuration."""
        for column, values, borders in self._values:
            points[:, column] = values[borders.searchsorted(points[:, column])]
        return points

    def encode(self, points: Floats) -> Floats:
        """Return what `Encoding.encode` gives for the points' configurations, shape (n, columns)."""
        if self.activity is not None:
            return self._encode_used(points, self.activity.used(points))
        if not self._codes:
            return points
        columns: list[Floats] = []
        done = 0
        for column, codes in self._codes:
            index = (points[:, column] * len(codes)).astype(np.intp)
            columns += points[:, done:column], codes[np.minimum(index, len(codes) - 1)]
            done = column + 1
        return np.concatenate((*columns, points[:, done:]), axis=1)

    def _encode_used(self, points: Floats, used: Flags) -> Floats:
        codes = dict(self._codes)
        columns: list[Floats] = []
        for column in range(len(self.domains)):
            units = points[:, column]
            if column in codes:
                count = len(codes[column]) - (column in self._conditional)
                index = np.minimum((units * count).astype(np.intp), count - 1)
                columns.append(codes[column][np.where(used[:, column], index, -1)])
            elif column in self._conditional:
                arc = np.column_stack((np.cos(units * ANGLE), np.sin(units * ANGLE)))
                columns.append(np.where(used[:, column, None], arc, 0.0))
            else:
                columns.append(units[:, None])
        return np.concatenate(columns, axis=1)

    @property
    def smooth(self) -> list[int]:
        """Columns of the continuous hyperparameters, along which a gradient exists."""
        return [column for column, _, _ in self._continuous]

    def by_points(self, points: Floats, by_columns: Floats) -> Floats:
        """Convert a gradient by encoded columns into a gradient by the coordinates in `smooth`.

        Args:
            points: Points, shape (n, d).
            by_columns: Gradient by encoded columns, shape (n, columns).
        """
        slopes = np.zeros((len(points), len(self._continuous)))
        used = None if self.activity is None else self.activity.used(points)
        for number, (column, at, on_arc) in enumerate(self._continuous):
            if on_arc:
                angle = points[:, column] * ANGLE
                along = by_columns[:, at + 1] * np.cos(angle) - by_columns[:, at] * np.sin(angle)
                slopes[:, number] = ANGLE * along
            else:
                slopes[:, number] = by_columns[:, at]
            if used is not None:
                slopes[:, number] *= used[:, column]
        return slopes

    def first_new(self, points: Floats, is_known: Callable[[Configuration], bool]) -> Configuration | None:
        """Return the first configuration that is not known, None if all are; repeated points are checked once."""
        known: set[bytes] = set()
        for point in points:
            key = point.tobytes()
            if key not in known:
                configuration = self.decode(point)
                if not is_known(configuration):
                    return configuration
                known.add(key)
        return None

    def decode(self, point: Floats) -> Configuration:
        """Return the configuration at a point of shape (d,)."""
        units = iter(point.tolist())
        return self._space.used(
            {
                name: domain.decode(next(units)) if domain.size > 1 else domain.default
                for name, domain in self._space.domains.items()
            }
        )
