"""Log expected improvement and its derivatives, accurate even where the expected improvement itself underflows."""

import math

import numpy as np

from hpo.surrogate.encoding import Floats

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
