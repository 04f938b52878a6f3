"""How expensive a unit of resource is for a configuration: ridge regression of its logarithm."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RIDGE = 0.5
LEAST = 4
"""From so many trials on a cost is predicted."""


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
