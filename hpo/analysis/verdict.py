"""The verdict of a comparison in words, which claims no more than the data show.

A method is called ahead only if the interval of the difference excludes 0 *and* the sign-flip test, corrected
for all pairs, falls below 5 %. A speed-up is claimed only if, in addition, its own interval lies above 1. Otherwise two
methods "cannot be told apart", and the verdict gives the number of seeds that would tell.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from hpo.analysis.pairwise_comparison import LEVEL, Pair
from hpo.analysis.scores import BenchmarkScores
from hpo.analysis.significance import fewest_pairs, smallest_p
from hpo.analysis.speedup import SpeedUp
from hpo.events.text import in_unit_of

WORDS = {"anytime": "anytime regret", "final": "final regret"}


def verdict(
    scored: Sequence[BenchmarkScores],
    pairs: Sequence[Pair],
    speed_ups: Mapping[str, SpeedUp],
    baseline: str,
    best: str,
    delta: float,
) -> list[str]:
    """Return the sentences of the verdict. The first names the seeds and benchmarks, the last how far the result generalises.

    Args:
        scored: Scores of each benchmark.
        pairs: Pairwise comparisons by one score.
        speed_ups: Speed-ups over all benchmarks, by method.
        baseline: Method that the others are compared with.
        best: Method with the lowest score; its pairs are described in addition to those with the baseline.
        delta: Difference of normalised regret that the number of seeds is planned for.
    """
    sentences = [subject(scored)]
    few = _too_few(pairs[0], len(scored)) if pairs[0].has_too_few_pairs else None
    told = [pair for pair in pairs if baseline in (pair.first, pair.second)]
    told += [pair for pair in pairs if best in (pair.first, pair.second) and pair not in told]
    if len(pairs) > 1 and not any(pair.distinct for pair in pairs):
        sentences.append(_nothing(pairs, few, delta))
        told = []
    elif few is not None:
        sentences.append(f"{few}.")
    moment = partial(in_unit_of, max(block.scale.end for block in scored), cost=scored[0].block.cost)
    for pair in told:
        other = pair.first if pair.second == baseline else pair.second
        speed = speed_ups.get(other) if baseline in (pair.first, pair.second) else None
        sentences.append(_sentence(pair, speed, target(scored, baseline), baseline, delta, moment))
    names = ", ".join(block.block.benchmark for block in scored)
    sentences.append(f"This is about more seeds on {names}; about other benchmarks it says nothing.")
    return sentences


def subject(scored: Sequence[BenchmarkScores]) -> str:
    """Return the phrase that says how many seeds ran on which benchmarks, and which kind of data these have."""
    counts = sorted({len(block.block.seeds) for block in scored})
    seeds = _count(counts[0], "seed") if len(counts) == 1 else f"{counts[0]}-{counts[-1]} seeds"
    where = f"on {scored[0].block.benchmark}" if len(scored) == 1 else f"on each of {len(scored)} benchmarks"
    labels = sorted({block.block.data_label for block in scored if block.block.data_label})
    return f"{seeds} {where}{f' ({chr(44).join(labels)} data)' if labels else ''}:"


def target(scored: Sequence[BenchmarkScores], baseline: str) -> str:
    """Describe the target of the speed-up, which is the baseline's final value, in words."""
    if len(scored) > 1:
        return f"{baseline}'s final values"
    objective = scored[0].block.objective
    if math.isinf(scored[0].target):
        return f"{baseline}'s final {objective.metric}, of which there is none"
    return f"{baseline}'s final {objective.metric} of {objective.value(scored[0].target):.4g}"


def _too_few(pair: Pair, benchmarks: int) -> str:
    """Explain that there are too few seeds for any result to be significant."""
    over = f" over the {benchmarks} benchmarks together" if benchmarks > 1 else ""
    return (
        f"Too few seeds to tell any methods apart: {_count(pair.pairs, 'pair')} can give no p-value below "
        f"{smallest_p(pair.pairs):.2g}; with {_count(pair.comparisons, 'comparison')} it takes at least "
        f"{fewest_pairs(LEVEL, pair.comparisons)} seeds{over}"
    )


def _nothing(pairs: Sequence[Pair], few: str | None, delta: float) -> str:
    """Return the sentence for the case that no two methods differ significantly: it describes the pair that differs most."""
    methods = list(dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second)))
    names = f"{', '.join(methods[:-1])} and {methods[-1]}"
    most = max(pairs, key=lambda pair: abs(pair.difference))
    what = WORDS[most.score]
    if all(pair.identical for pair in pairs):
        return f"{names} gave the same {what} on every seed."
    start = few or f"No two of {names} can be told apart"
    return f"{start}. Of all pairs {most.first} and {most.second} differ most: {_seen(most, what, delta)}"


def _sentence(
    pair: Pair, speed: SpeedUp | None, aim: str, baseline: str, delta: float, moment: Callable[[float], str]
) -> str:
    what = WORDS[pair.score]
    if pair.identical:
        return f"{pair.first} and {pair.second} gave the same {what} on every seed."
    if not pair.distinct:
        return f"{pair.first} and {pair.second} cannot be told apart: {_seen(pair, what, delta)}"
    better, worse = (pair.first, pair.second) if pair.difference < 0 else (pair.second, pair.first)
    size = sorted((abs(pair.low), abs(pair.high)))
    gain = f"its {what} is {abs(pair.difference):.3f} lower, 95 % CI {size[0]:.3f} to {size[1]:.3f}"
    if speed is None or better == baseline:
        return f"{better} is ahead of {worse}: {gain}."
    if speed.low > 1:
        times = f"{speed.ratio:.2g} times sooner, 95 % CI {speed.low:.2g} to {speed.high:.2g}"
        times_of = (moment(speed.method_time), moment(speed.baseline_time))
        expected = f" (expected {times_of[0]} against {times_of[1]})"
        expected = "" if math.isnan(speed.method_time) else expected
        return f"{better} reaches {aim} {times}{expected}; {gain}."
    known = (
        f" (estimate {speed.ratio:.2g}, 95 % CI {speed.low:.2g} to {speed.high:.2g})" if speed.low == speed.low else ""
    )
    return f"{better} is ahead of {worse}: {gain}; that it reaches {aim} sooner is not shown{known}."


def _seen(pair: Pair, what: str, delta: float) -> str:
    """Describe a pair without a proven difference: which method looks better, the interval, and the seeds needed."""
    better, worse = (pair.first, pair.second) if pair.difference < 0 else (pair.second, pair.first)
    head = f"{better} looks better, its {what} is {abs(pair.difference):.3f} lower than {worse}'s"
    if not pair.difference:
        head = f"on average their {what} is the same"
    head += f", {_limits(pair)}"
    if pair.low > 0 or pair.high < 0:
        head += f" (the interval excludes 0, but the sign-flip test does not confirm it, p = {pair.sign_flip_holm:.2g})"
    if -delta < pair.low <= pair.high < delta:
        return f"{head}; a difference of {delta:g} is ruled out."
    if pair.more_seeds is None:
        return f"{head}; one seed does not even say how many would be needed."
    about = "at least" if pair.has_too_few_pairs else "about"
    if abs(pair.difference) >= delta and pair.more_seeds_if_real:
        smaller = f", and {pair.more_seeds} one of {delta:g} (as the table says)" if pair.more_seeds else ""
        return (
            f"{head}; {about} {_count(pair.more_seeds_if_real, 'more seed')} would show a difference as large as this one, "
            f"if it is real{smaller}."
        )
    if pair.more_seeds == 0:
        return f"{head}; this many seeds find a difference of {delta:g} in 4 of 5 cases."
    return (
        f"{head}; {about} {_count(pair.more_seeds, 'more seed')} would show a difference of {delta:g} if there is one."
    )


def _limits(pair: Pair) -> str:
    """Format the interval of a difference from the point of view of the method that looks better."""
    if math.isnan(pair.low):
        return "no interval from these data"
    sign = 1 if pair.difference < 0 else -1
    ends = sorted((sign * pair.low, sign * pair.high))
    told = [f"{abs(end):.3f} {'lower' if end < 0 else 'higher'}" for end in ends]
    return f"95 % CI {told[0]} to {told[1]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
