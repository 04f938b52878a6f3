"""Tests for paired differences: Wilcoxon's signed ranks, sign flips, Holm's correction, probability of improvement.

The tests themselves are scipy's; Holm's correction, which scipy lacks, is implemented here. As Demsar (JMLR 2006) and
Benavoli et al. (JMLR 2016) advise, several methods are compared by pairwise tests with Holm's correction.
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np

from hpo.surrogate.arrays import Floats

FLIPS = 9999
"""Number of sign patterns that are drawn. If there are no more than that, all are used and the p-value is exact."""


def signed_rank(differences: Floats) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test, zeros dropped; 1 if all differences are 0.

    Args:
        differences: One difference per (benchmark, seed), shape (n,).
    """
    from scipy.stats import wilcoxon

    nonzero = differences[differences != 0]
    return float(wilcoxon(nonzero).pvalue) if len(nonzero) else 1.0


def sign_flip(strata: Sequence[Floats], stream: np.random.Generator) -> float:
    """Return the two-sided p-value of the sign-flip permutation test of the mean over benchmarks of the mean difference.

    Under the null hypothesis the methods are exchangeable within a seed, so each difference has either sign equally
    often. The test assumes nothing about the shape of the distribution.

    Args:
        strata: One array per benchmark with one difference per seed, shape (n,).
        stream: Source of random signs, used if there are more than `FLIPS` patterns.
    """
    from scipy.stats import permutation_test

    weights = np.concatenate([np.full(len(values), 1 / (len(strata) * len(values))) for values in strata])
    differences = np.concatenate(list(strata))
    if not differences.any() or len(differences) == 1:  # both sign patterns of one difference are equally extreme
        return 1.0
    differences = differences / np.abs(differences).max()

    def statistic(values: Floats, axis: int = -1) -> Floats:
        return np.asarray(np.round(np.moveaxis(values, axis, -1) @ weights, 12))  # makes ties exact

    found = permutation_test(
        (differences,), statistic, permutation_type="samples", vectorized=True, n_resamples=FLIPS, rng=stream
    )
    return float(found.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for testing all of them (Holm, Scand. J. Statist. 1979); valid whatever their dependence."""
    order, corrected = np.argsort(p_values, kind="stable"), np.zeros(len(p_values))
    scaled = np.arange(len(p_values), 0, -1) * np.array(p_values)[order]
    corrected[order] = np.maximum.accumulate(np.minimum(1.0, scaled))
    return [float(p) for p in corrected]


def probability_of_improvement(strata: Sequence[Floats]) -> float:
    """Return the share of seeds on which the first method of a pair is better, ties counted half, averaged over benchmarks.

    Args:
        strata: One array per benchmark with one difference (first minus second, lower is better) per seed, shape (n,).
    """
    return float(np.mean([np.mean((values < 0) + 0.5 * (values == 0)) for values in strata]))


def smallest_p(pairs: int) -> float:
    """Return the smallest p-value that a sign-flip or signed-rank test of `pairs` differences can give."""
    return min(1.0, math.ldexp(1.0, 1 - pairs))


def fewest_pairs(level: float, comparisons: int) -> int:
    """Return the least number of differences with which a test, corrected for `comparisons` tests, can fall below `level`."""
    return next(n for n in itertools.count(1) if smallest_p(n) * comparisons < level)
