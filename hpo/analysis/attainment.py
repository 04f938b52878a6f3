"""Empirical attainment surfaces of Pareto fronts with two objectives.

A Pareto front attains a point if one of its own points is at least as good in both objectives. The attainment surface of a
share bounds the region that at least this share of the fronts attains; the surface of 0.5 is the analogue of a median over
seeds (Fonseca, Guerreiro, Lopez-Ibanez & Paquete, 2011).
"""

import math
from collections.abc import Sequence

import numpy as np

from hpo.surrogate.arrays import Floats


def attainment(fronts: Sequence[Floats], shares: Sequence[float]) -> tuple[Floats, Floats]:
    """Return attainment surfaces for several shares, as step functions of the first loss.

    Args:
        fronts: One array of losses per experiment, shape (n, 2), finite; points may be dominated.
        shares: Shares of the fronts, above 0 and at most 1.

    Returns:
        First losses in ascending order, shape (k,), and for each of them the least second loss that each share of the fronts
        attains, shape (shares, k); +inf if fewer fronts have a point there.
    """
    places = np.unique(np.concatenate([front[:, 0] for front in fronts]))
    attained = np.array([_least(front, places) for front in fronts])
    ordered = np.sort(attained, axis=0)
    return places, np.array([ordered[max(math.ceil(share * len(fronts)), 1) - 1] for share in shares])


def _least(front: Floats, places: Floats) -> Floats:
    """Return, for each of `places`, the least second loss of the points whose first loss is at most that, shape (k,)."""
    front = front[np.argsort(front[:, 0], kind="stable")]
    lowest = np.append(np.inf, np.minimum.accumulate(front[:, 1]))
    return np.asarray(lowest[np.searchsorted(front[:, 0], places, side="right")])
