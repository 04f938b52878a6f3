"""Maximisation of an acquisition function along its gradient, over the continuous hyperparameters."""

from collections.abc import Callable

import numpy as np

from hpo.surrogate.candidate_points import CandidatePoints
from hpo.surrogate.kernel import Floats

DIGITS = 6
"""Number of decimals to which optimised coordinates are rounded.

Linear algebra libraries differ in the order of summation; rounding keeps that from changing decisions.
"""


def climb(
    pool: CandidatePoints, starts: Floats, score: Callable[[Floats], tuple[Floats, Floats]], *, iterations: int
) -> Floats:
    """Maximise a score from several starting points with one run of L-BFGS-B; return points of the same shape.

    Args:
        pool: Points of the search space.
        starts: Starting points, shape (n, d).
        score: Function from encoded configurations to values (higher is better), shape (n,), and to their gradient.
        iterations: Maximum number of iterations.
    """
    from scipy.optimize import fmin_l_bfgs_b

    columns = pool.smooth
    if not columns or not len(starts):
        return starts
    points = starts.copy()

    def loss(flat: Floats) -> tuple[float, Floats]:
        points[:, columns] = flat.reshape(len(points), len(columns))
        values, by_columns = score(pool.encode(points))
        return -float(values.sum()), -pool.by_points(points, by_columns).ravel()

    begin = starts[:, columns].ravel()
    end, _, _ = fmin_l_bfgs_b(loss, begin, bounds=[(0.0, 1.0)] * len(begin), maxiter=iterations, factr=1e4, pgtol=1e-8)
    points[:, columns] = np.round(np.asarray(end), DIGITS).reshape(len(points), len(columns))
    return points
