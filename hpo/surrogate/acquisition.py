"""Log expected improvement with its derivatives, and the maximisation of an acquisition function along its gradient.

The logarithm is accurate even where the expected improvement itself underflows.
"""

import math
from collections.abc import Callable

import numpy as np

from hpo.surrogate.arrays import Floats
from hpo.surrogate.candidate_points import CandidatePoints

_FAR = -1e3
"""Standardised improvement z below which the logarithm of the expected one is an asymptotic expansion, exact to 1e-11."""

_SURE = 8.0
"""Standardised improvement z above which the expected one equals z in double precision."""


def log_expected_improvement(mean: Floats, deviation: Floats, best: Floats | float) -> Floats:
    """Return the logarithm of E[max(best - f, 0)] for f ~ N(mean, deviation²); arguments of any common shape.

    With z = (best - mean) / deviation, it is ln deviation + ln h(z), where h(z) = φ(z) + z Φ(z). The forms for negative z
    are those of Ament et al., "Unexpected Improvements to Expected Improvement for Bayesian Optimization" (NeurIPS 2023),
    section 4.
    """
    return np.log(deviation) + log_h((best - mean) / deviation)


def log_improvement_slopes(
    mean: Floats, deviation: Floats, best: Floats | float, *, logs: Floats
) -> tuple[Floats, Floats]:
    """Return the derivatives of the log expected improvement by mean and by deviation, given its values as `logs`.

    With z = (best - mean) / deviation, they are -Φ(z) and φ(z), divided by the expected improvement.
    """
    from scipy.special import log_ndtr

    z = (best - mean) / deviation
    return -np.exp(log_ndtr(z) - logs), np.exp(-0.5 * z**2 - 0.5 * math.log(2 * math.pi) - logs)


def log_h(z: Floats) -> Floats:
    """Return ln(φ(z) + z Φ(z)), with the standard normal density φ and distribution function Φ."""
    from scipy.special import erfcx

    z = np.asarray(z, dtype=np.float64)
    half_log = 0.5 * math.log(2 * math.pi)
    low, high = z.min(initial=0.0), z.max(initial=0.0)  # usually one form applies to all z
    middle = z if low >= _FAR and high <= _SURE else np.clip(z, _FAR, _SURE)
    # φ(z)(1 + z Φ(z)/φ(z)), and Φ(z)/φ(z) = √(π/2) erfcx(-z/√2)
    ratio = middle * math.sqrt(math.pi / 2) * erfcx(middle / -math.sqrt(2))
    result: Floats = -0.5 * middle**2 - half_log + np.log1p(ratio)
    if low < _FAR:
        far = np.minimum(z, _FAR)
        asymptotic = -0.5 * far**2 - half_log - 2 * np.log(-far) + np.log1p(-3.0 / far**2)
        result = np.where(z < _FAR, asymptotic, result)
    if high > _SURE:
        result = np.where(z > _SURE, np.log(np.maximum(z, _SURE)), result)
    return result


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
