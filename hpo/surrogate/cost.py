"""The cost of a unit of resource: known for trials that have reported, predicted by regression for other configurations."""

import math

import numpy as np

from hpo.surrogate.arrays import Floats

RIDGE = 0.5
LEAST = 4
"""Number of trials with a known cost from which on costs are predicted."""

CHEAPEST = 1e-6
"""Smallest cost of a unit of resource, as a fraction of the largest; lower costs are raised to it."""


class EventClock:
    """A clock that estimates costs by counting reports: each report of any trial is one tick.

    A unit of resource costs the number of ticks since the trial's previous report, or since it started. With several
    workers this grows with the time it takes, yet it does not depend on real time. Trials are identified by numbers.
    """

    def __init__(self) -> None:
        self._ticks = 0
        self._last: dict[int, int] = {}  # trial -> tick of its last report or start
        self._spent: dict[int, tuple[int, int]] = {}  # trial -> (total ticks, number of reports)

    def begin(self, trial: int) -> None:
        """Record that a trial starts or resumes now."""
        self._last[trial] = self._ticks

    def tick(self, trial: int) -> None:
        """Advance the clock by one tick for a trial's report, and charge it for the ticks since its last report."""
        before = self._last.get(trial, self._ticks)
        self._ticks += 1
        spent, reports = self._spent.get(trial, (0, 0))
        self._spent[trial] = spent + self._ticks - before, reports + 1
        self._last[trial] = self._ticks

    def log_costs(self) -> tuple[list[int], Floats]:
        """Return the ids of the trials that have reported, ascending, and their log cost per unit of resource, shape (n,)."""
        known = sorted(self._spent)
        costs = [math.log((spent + 0.5) / reports) for spent, reports in map(self._spent.__getitem__, known)]
        return known, np.array(costs)


class ReportedCosts:
    """Costs that trials report through a metric named by the user, cumulative per trial. Trials are identified by numbers.

    The cost of a unit of resource is expressed in multiples of the mean. Each trial's total is increased by half a unit, as
    `EventClock` does. With one worker and reports of equal cost, both give the same costs.
    """

    def __init__(self) -> None:
        # trial -> (total cost, resource reached)
        self._spent: dict[int, tuple[float, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._spent)

    def add(self, trial: int, resource: int, cost: float) -> None:
        """Record what a trial has cost up to a resource."""
        self._spent[trial] = cost, resource

    def log_costs(self) -> tuple[list[int], Floats]:
        """Return the ids of trials with a known cost and their log cost per unit of resource; zeros if all costs are 0."""
        known = sorted(self._spent)
        spent, resources = np.array([self._spent[trial] for trial in known]).reshape(-1, 2).T
        unit = spent.sum() / resources.sum() if known else 0.0
        return known, np.log((spent / unit + 0.5) / resources) if unit else np.zeros(len(known))


class UnsmoothedCosts(ReportedCosts):
    """NamedCosts without the additional half unit.

    If a few trials are very expensive, they determine the mean unit, and half of it would make all other trials look alike.
    """

    def log_costs(self) -> tuple[list[int], Floats]:
        """Return the ids of trials with a known cost, and their log cost per unit; low costs are raised to `CHEAPEST`."""
        known = sorted(self._spent)
        rates = np.array([spent / resource for spent, resource in map(self._spent.__getitem__, known)])
        dearest = rates.max(initial=0.0)
        return known, np.log(np.maximum(rates, CHEAPEST * dearest)) if dearest else np.zeros(len(known))


def predict_log_cost(x: Floats, log_costs: Floats, candidates: Floats) -> Floats:
    """Predict ln(cost) of candidates by ridge regression, relative to the mean of known costs; zeros if too few are known.

    Args:
        x: Encoded configurations with a known cost, shape (n, columns).
        log_costs: Logarithm of their mean cost per unit of resource, shape (n,).
        candidates: Encoded configurations to predict, shape (m, columns).
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
