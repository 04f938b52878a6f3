"""Computation of the conditional hyperparameters that are active, for many points of the unit cube at once."""

from collections.abc import Mapping

import numpy as np

from hpo.space.conditions import Condition
from hpo.space.domains import Domain
from hpo.space.search_space import SearchSpace
from hpo.surrogate.arrays import Flags, Floats


class ConditionalActivity:
    """The conditions of a search space, evaluated on arrays of points of the unit cube.

    Args:
        space: Search space.
        columns: Column of each hyperparameter in the arrays of points.
        most: Largest number of values of a gate for which results are tabulated; larger gates are evaluated point by point.
    """

    def __init__(self, space: SearchSpace, columns: Mapping[str, int], most: int) -> None:
        self._columns = columns
        self._conditions = [
            (name, [_Gate(condition, space.domains[condition.gate], columns, most) for condition in conditions])
            for name, conditions in space.conditions.items()
        ]

    def used(self, points: Floats) -> Flags:
        """Return a boolean for each coordinate of each point, whether its hyperparameter is used there; shape (n, d)."""
        flags = np.ones(points.shape, dtype=bool)
        found: dict[str, Flags] = {}
        for name, gates in self._conditions:
            holds = np.ones(len(points), dtype=bool)
            for gate in gates:
                holds &= gate.holds(points)
                if gate.name in found:
                    holds &= found[gate.name]
            found[name] = holds
            if name in self._columns:
                flags[:, self._columns[name]] = holds
        return flags


class _Gate:
    """One condition, evaluated from the coordinate of its gate."""

    def __init__(self, condition: Condition, domain: Domain, columns: Mapping[str, int], most: int) -> None:
        self.name = condition.gate
        self._condition, self._domain = condition, domain
        self._column = columns.get(condition.gate)
        self._listed = domain.size <= most
        if self._listed:
            values = sorted(domain.values(int(domain.size)), key=domain.encode)
            units = np.array([domain.encode(value) for value in values])
            self._borders = (units[1:] + units[:-1]) / 2
            self._holds = np.array([condition.holds(value) for value in values])

    def holds(self, points: Floats) -> Flags:
        """Return whether the condition holds at each point, shape (n,)."""
        if self._column is None:  # the gate has a single value, so the condition holds
            return np.ones(len(points), dtype=bool)
        units = points[:, self._column]
        if self._listed:
            found: Flags = self._holds[self._borders.searchsorted(units)]
            return found
        return np.array([self._condition.holds(self._domain.decode(unit)) for unit in units.tolist()], dtype=bool)
