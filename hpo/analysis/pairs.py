"""Two methods against each other, over all (benchmark, seed) pairs: effect, interval, tests, seeds still needed."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hpo.analysis.bootstrap import Indices, aggregate, interval
from hpo.analysis.power import ALLOWANCE, pairs_needed, spread_of
from hpo.analysis.scores import Scored
from hpo.analysis.significance import fewest_pairs, holm, probability_of_improvement, sign_flip, signed_rank, smallest_p
from hpo.randomness import Randomness

LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Pair:
    """One comparison. Differences are of normalised regret, `first` minus `second`: negative where `first` is better."""

    score: str
    first: str
    second: str
    difference: float
    """The mean over benchmarks of the IQM over seeds of the paired differences."""
    low: float
    high: float
    """95 % confidence interval; nan where there is none."""
    probability: float
    """How often `first` is better on the same seed, ties counted half."""
    wilcoxon: float
    """p-value, not corrected."""
    sign_flip: float
    wilcoxon_holm: float
    """Corrected for all pairs of methods."""
    sign_flip_holm: float
    across_benchmarks: float
    """p-value of Wilcoxon's test over the benchmarks' mean differences; nan below 6 benchmarks."""
    spread: float
    """Standard deviation of the paired differences that planning goes by; nan for one seed."""
    seeds: int
    """Common seeds of the benchmark that has fewest."""
    pairs: int
    """(benchmark, seed) pairs."""
    more_seeds: int | None
    """How many more seeds per benchmark would show a difference of `delta` with a power of 80 %."""
    more_seeds_if_real: int | None
    """How many would show the difference itself, were it real; None also where there is none."""
    comparisons: int
    """Pairs of methods that the correction is for."""
    identical: bool
    """No difference on any seed."""

    @property
    def distinct(self) -> bool:
        """Do the data tell the two apart: does the interval exclude 0, and the corrected test fall below 5 %?"""
        return (self.low > 0 or self.high < 0) and self.sign_flip_holm < LEVEL

    @property
    def hopeless(self) -> bool:
        """Are there too few pairs for any result to be significant?"""
        return smallest_p(self.pairs) * self.comparisons >= LEVEL


def compare_pairs(
    scored: Sequence[Scored],
    order: Sequence[str],
    score: str,
    indices: Sequence[Indices],
    delta: float,
    random_seed: int,
) -> list[Pair]:
    """All pairs of methods.

    Args:
        scored: the benchmarks.
        order: the methods, the baseline last: in each pair the earlier one is `first`.
        score: `anytime` or `final`.
        indices: what `draw` gave for the benchmarks.
        delta: the difference that planning is for.
        random_seed: of the sign flips.
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
    scored: Sequence[Scored],
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
        low=max(low, -1.0),  # regrets lie in [0, 1]; nan stays nan, it is the first argument
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
