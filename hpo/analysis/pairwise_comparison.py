"""Pairwise comparison of methods over all (benchmark, seed) pairs: effect size, interval, tests, seeds still needed."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from hpo.analysis.bootstrap import Indices, aggregate, interval, standard_error
from hpo.analysis.scores import BenchmarkScores
from hpo.analysis.significance import fewest_pairs, holm, probability_of_improvement, sign_flip, signed_rank, smallest_p
from hpo.randomness import Randomness
from hpo.surrogate.arrays import Floats

LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Pair:
    """The comparison of two methods by one score.

    Differences are normalised regret of `first` minus that of `second`: negative if `first` is better.
    """

    score: str
    first: str
    second: str
    difference: float
    """Mean over benchmarks of the IQM over seeds of the paired differences."""
    low: float
    high: float
    """Upper limit of the 95 % confidence interval of `difference`, as `low` is the lower one; nan if there is none."""
    probability: float
    """Share of seeds on which `first` is better, ties counted half."""
    wilcoxon: float
    """Uncorrected p-value of Wilcoxon's signed-rank test."""
    sign_flip: float
    wilcoxon_holm: float
    """p-value of Wilcoxon's test, corrected by Holm's method for all pairs of methods."""
    sign_flip_holm: float
    across_benchmarks: float
    """p-value of Wilcoxon's test over the benchmarks' mean differences; nan for fewer than 6 benchmarks."""
    spread: float
    """Standard deviation of the paired differences that planning the number of seeds uses; nan for one seed."""
    seeds: int
    """Number of common seeds of the benchmark that has fewest."""
    pairs: int
    """Number of (benchmark, seed) pairs."""
    more_seeds: int | None
    """Additional seeds per benchmark that would show a difference of `delta` with a power of 80 %; None for one seed."""
    more_seeds_if_real: int | None
    """Additional seeds per benchmark that would show the observed difference if it is real; None also if it is 0."""
    comparisons: int
    """Number of pairs of methods that the p-values are corrected for."""
    identical: bool
    """Whether the two methods have the same score on every seed."""

    @property
    def distinct(self) -> bool:
        """Whether the data distinguish the two methods: the interval excludes 0 and the corrected test is below 5 %."""
        return (self.low > 0 or self.high < 0) and self.sign_flip_holm < LEVEL

    @property
    def has_too_few_pairs(self) -> bool:
        """Whether there are too few (benchmark, seed) pairs for any result to be significant."""
        return smallest_p(self.pairs) * self.comparisons >= LEVEL


def compare_pairs(
    scored: Sequence[BenchmarkScores],
    order: Sequence[str],
    score: str,
    indices: Sequence[Indices],
    delta: float,
    random_seed: int,
) -> list[Pair]:
    """Compare all pairs of methods by one score, with corrected p-values.

    Args:
        scored: Scores of each benchmark.
        order: Names of the methods, the baseline last; the earlier method of a pair is its `first`.
        score: Score to compare, `anytime` or `final`.
        indices: Resamples that `draw` returned for the benchmarks.
        delta: Difference of normalised regret that the number of seeds is planned for.
        random_seed: Seed of the sign flips.
    """
    combinations = list(itertools.combinations(order, 2))
    pairs = [_compare(scored, *both, score, indices, delta, random_seed, len(combinations)) for both in combinations]
    ranks = holm([pair.wilcoxon for pair in pairs])
    flips = holm([pair.sign_flip for pair in pairs])
    return [
        replace(pair, wilcoxon_holm=rank, sign_flip_holm=flip)
        for pair, rank, flip in zip(pairs, ranks, flips, strict=True)
    ]


def _compare(
    scored: Sequence[BenchmarkScores],
    first: str,
    second: str,
    score: str,
    indices: Sequence[Indices],
    delta: float,
    random_seed: int,
    comparisons: int,
) -> Pair:
    strata = [block.differences(score, first, second) for block in scored]
    low, high = interval(strata, indices)
    stream = Randomness(random_seed, 0).stream(f"sign-flip/{score}/{first}/{second}")
    seeds, spread = min(map(len, strata)), spread_of(strata)
    difference = aggregate(strata)

    def more_for(wanted: float) -> int | None:
        if math.isnan(spread) or not wanted:
            return None
        needed = pairs_needed(spread, wanted, level=LEVEL / comparisons) + ALLOWANCE
        return max(0, math.ceil(max(needed, fewest_pairs(LEVEL, comparisons)) / len(strata)) - seeds)

    return Pair(
        score=score,
        first=first,
        second=second,
        difference=difference,
        low=max(low, -1.0),  # regrets lie in [0, 1]; nan as the first argument stays nan
        high=min(high, 1.0),
        probability=probability_of_improvement(strata),
        wilcoxon=signed_rank(np.concatenate(strata)),
        sign_flip=sign_flip(strata, stream),
        wilcoxon_holm=math.nan,
        sign_flip_holm=math.nan,
        across_benchmarks=signed_rank(np.array([values.mean() for values in strata])) if len(strata) > 5 else math.nan,
        spread=spread,
        seeds=seeds,
        pairs=sum(map(len, strata)),
        more_seeds=more_for(delta),
        more_seeds_if_real=more_for(abs(difference)),
        comparisons=comparisons,
        identical=not any(values.any() for values in strata),
    )


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
