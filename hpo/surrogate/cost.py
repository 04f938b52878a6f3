"""How expensive a unit of resource is: for trials that have reported, and by regression for configurations."""

import math

import numpy as np

from hpo.surrogate.encoding import Floats

RIDGE = 0.5
LEAST = 4
"""From so many trials on a cost is predicted."""

SHORTEST = 1e-6
"""No unit of resource counts as taking fewer seconds."""


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


class Stopwatch(EventClock):
    """Tells costs by the seconds that trials have trained for, as long as these are told."""

    def __init__(self) -> None:
        super().__init__()
        self._rates: dict[int, float] = {}  # of each trial that was measured: seconds per unit of resource

    def measure(self, trial: int, resource: int, seconds: float) -> None:
        """The trial has come so far in so many seconds."""
        self._rates[trial] = max(seconds / resource, SHORTEST)

    def log_costs(self) -> tuple[list[int], Floats]:
        """The trials that were measured, ascending, and ln of their seconds per unit; without any, as of EventClock."""
        if not self._rates:
            return super().log_costs()
        known = sorted(self._rates)
        return known, np.log([self._rates[trial] for trial in known])


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
