"""Sample-size planning: the number of seeds that a paired comparison needs to show a difference."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from hpo.analysis.bootstrap import standard_error
from hpo.history.trajectories import Floats

ALLOWANCE = 8
"""Pairs added to the formula's sample size, because a studentised interval from few seeds is wider than the normal one
(measured: perf/bootstrap_coverage.py prints the power that plans really have).
"""


def pairs_needed(spread: float, delta: float, *, level: float = 0.05, power: float = 0.8) -> int:
    """Return the sample size (z(1 - level / 2) + z(power))^2 spread^2 / delta^2; for .05 and .8 the z are 1.96 and .84.

    Args:
        spread: Standard deviation of the paired differences.
        delta: Mean difference to be shown, in the same unit.
        level: Two-sided error probability of the test.
        power: Probability with which the test finds the difference.
    """
    z = NormalDist().inv_cdf(1 - level / 2) + NormalDist().inv_cdf(power)
    return max(1, math.ceil((z * spread / delta) ** 2))


def spread_of(strata: Sequence[Floats]) -> float:
    """Return the standard deviation of paired differences for planning; nan for less than two seeds.

    It is the larger of two: the standard deviation of the differences within their benchmarks, which governs a test of the
    mean, and sqrt(n) times the standard error of the IQM, which governs the interval.

    Args:
        strata: One array per benchmark with one difference per seed, shape (n,).
    """
    if min(len(values) for values in strata) < 2:
        return math.nan
    plain = math.sqrt(float(np.mean([np.var(values, ddof=1) for values in strata])))
    return max(plain, math.sqrt(sum(len(values) for values in strata)) * standard_error(strata))
