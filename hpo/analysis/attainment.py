"""Attainment surfaces: what a share of several experiments has attained, in two losses.

A point is attained by a front that has a point at least as good in both. The surface of a share bounds what at least so many
of the fronts attain, as the median over seeds bounds what half of them do (Fonseca, Guerreiro, Lopez-Ibanez & Paquete, 2011).
"""

import math
from collections.abc import Sequence

import numpy as np

from hpo.history.trajectories import Floats


def attainment(fronts: Sequence[Floats], shares: Sequence[float]) -> tuple[Floats, Floats]:
    """The surfaces of some shares, as step functions of the first loss.

    Args:
        fronts: of each experiment, shape (n, 2), finite; any of its points may be dominated.
        shares: above 0, at most 1.

    Returns:
        first losses, shape (k,), ascending, and the least second loss that each share of the fronts attains from there on,
        shape (shares, k): +inf where so many do not.
    """
    places = np.unique(np.concatenate([front[:, 0] for front in fronts]))
    attained = np.array([_least(front, places) for front in fronts])
    ordered = np.sort(attained, axis=0)
    return places, np.array([ordered[max(math.ceil(share * len(fronts)), 1) - 1] for share in shares])


def _least(front: Floats, places: Floats) -> Floats:
    """The least second loss of points whose first is at most some value, shape (k,)."""
    front = front[np.argsort(front[:, 0], kind="stable")]
    lowest = np.append(np.inf, np.minimum.accumulate(front[:, 1]))
    return np.asarray(lowest[np.searchsorted(front[:, 0], places, side="right")])
