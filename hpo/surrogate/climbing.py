"""Climbing to a maximum of an acquisition: along its gradient where a hyperparameter is continuous."""

from collections.abc import Callable

import numpy as np

from hpo.surrogate.kernel import Floats
from hpo.surrogate.pool import Pool

DIGITS = 6
"""Places on the unit scale are rounded to so many digits after the point, so that what another linear algebra library sums
in another order does not change decisions."""


def climb(pool: Pool, starts: Floats, score: Callable[[Floats], tuple[Floats, Floats]], *, iterations: int) -> Floats:
    """Where L-BFGS-B gets to from several points at once, which it takes for one: shape as of `starts`.

    Args:
        pool: of the space.
        starts: points, shape (n, d).
        score: of encoded rows: values, shape (n,), larger is better, and their gradient by the rows.
        iterations: at most so many steps.
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
