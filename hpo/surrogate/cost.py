"""How expensive a unit of resource is: for trials that have reported, and by regression for configurations."""

import math

import numpy as np

from hpo.surrogate.encoding import Floats

RIDGE = 0.5
LEAST = 4
"""From so many trials on a cost is predicted."""

CHEAPEST = 1e-6
"""No unit of resource costs less than this share of the dearest."""


class EventClock:
    """Tells costs by counting reports: each, of whichever trial, is a tick.

    A unit of resource costs the number of ticks since the trial's report before, or since it began to run. That goes with
    the time it takes where several workers share the clock, and does not depend on any real one. Trials are numbers.
    """

    def __init__(self) -> None:
        self._ticks = 0
        self._last: dict[int, int] = {}  # of each trial that has run: the tick it reported or began to run at
        self._spent: dict[int, tuple[int, int]] = {}  # of each trial that has reported: ticks in all, and reports

    def begin(self, trial: int) -> None:
        """The trial runs from now on."""
        self._last[trial] = self._ticks

    def tick(self, trial: int) -> None:
        """The trial has reported."""
        before = self._last.get(trial, self._ticks)
        self._ticks += 1
        spent, reports = self._spent.get(trial, (0, 0))
        self._spent[trial] = spent + self._ticks - before, reports + 1
        self._last[trial] = self._ticks

    def log_costs(self) -> tuple[list[int], Floats]:
        """The trials that have reported, ascending, n of them, and ln of their costs per unit, shape (n,)."""
        known = sorted(self._spent)
        costs = [math.log((spent + 0.5) / reports) for spent, reports in map(self._spent.__getitem__, known)]
        return known, np.array(costs)


class NamedCosts:
    """Costs as a metric tells them that the user names, cumulative per trial. Trials are numbers.

    The cost of a unit of resource is taken in units of the mean one, with half a unit more for a trial, as by the clock:
    where one worker trains and every report costs the same, both tell the same.
    """

    def __init__(self) -> None:
        # Of each trial: what it has cost, and the resource it has reached.
        self._spent: dict[int, tuple[float, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._spent)

    def add(self, trial: int, resource: int, cost: float) -> None:
        """What a trial has cost up to a resource."""
        self._spent[trial] = cost, resource

    def log_costs(self) -> tuple[list[int], Floats]:
        """As of the clock; zeros where nothing has cost anything."""
        known = sorted(self._spent)
        spent, resources = np.array([self._spent[trial] for trial in known]).reshape(-1, 2).T
        unit = spent.sum() / resources.sum() if known else 0.0
        return known, np.log((spent / unit + 0.5) / resources) if unit else np.zeros(len(known))


class PlainCosts(NamedCosts):
    """The same without the half unit.

    Where few trials are very dear, the mean unit is theirs, and half of it would make all others alike.
    """

    def log_costs(self) -> tuple[list[int], Floats]:
        """Logarithms of what a unit of resource has cost; what costs next to nothing counts as `CHEAPEST` of the dearest."""
        known = sorted(self._spent)
        rates = np.array([spent / resource for spent, resource in map(self._spent.__getitem__, known)])
        dearest = rates.max(initial=0.0)
        return known, np.log(np.maximum(rates, CHEAPEST * dearest)) if dearest else np.zeros(len(known))


def predict_log_cost(x: Floats, log_costs: Floats, candidates: Floats) -> Floats:
    """Predicted ln(cost), relative to the mean of those known; zeros while too few are known.

    Args:
        x: encoded configurations whose cost is known, shape (n, columns).
        log_costs: ln of their mean cost per unit of resource, shape (n,).
        candidates: encoded configurations, shape (m, columns).
    """
    if len(log_costs) < LEAST:
        return np.zeros(len(candidates))
    centre = x.mean(axis=0)
    a = x - centre
    gram = a.T @ a
    gram[np.diag_indices_from(gram)] += RIDGE
    weights = np.linalg.solve(gram, a.T @ (log_costs - log_costs.mean()))
    result: Floats = (candidates - centre) @ weights
    return result
