"""How often the 95 % intervals of `hpo compare` hold the true difference: synthetic pairs, difference known.

    python perf/bootstrap_coverage.py [--pairs 1000] [--seeds 6,8,10,20,30]

Per line: the distribution of paired differences, benchmarks x seeds, the share of intervals that cover the true mean of
the middle half, the median width in standard deviations, and for comparison the percentile bootstrap's share. Then the
power that the planned number of seeds really has.
"""

import argparse
from collections.abc import Callable

import numpy as np

from hpo.analysis.bootstrap import aggregate, draw, interval, iqm
from hpo.analysis.pairwise_comparison import ALLOWANCE, pairs_needed, spread_of
from hpo.analysis.significance import sign_flip

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

SHAPES: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "uniform": lambda rng, shape: rng.uniform(-1.7, 1.7, size=shape),
    "heavy tails (t, 3)": lambda rng, shape: rng.standard_t(3, size=shape),
    "outliers (20 % x 4)": lambda rng, shape: rng.normal(size=shape) * np.where(rng.random(shape) < 0.2, 4, 1),
    "skewed (gamma 2)": lambda rng, shape: rng.gamma(2, size=shape),
    "skewed (lognormal)": lambda rng, shape: rng.lognormal(0, 0.5, size=shape),
    "regrets in [0, 1]": lambda rng, shape: rng.beta(2, 5, size=shape) - rng.beta(2, 3, size=shape),
    "saturated (38 % tied)": lambda rng, shape: np.minimum(rng.normal(size=shape), 0.3),
}
"""Shapes of paired differences; each gets its own true middle-half mean, found from ten million draws."""


def true_value(shape: Draw) -> float:
    """The mean of the middle half of the distribution."""
    return float(np.mean([iqm(shape(np.random.default_rng(i), (1_000_000,))) for i in range(10)]))


def coverage(shape: Draw, seeds: int, benchmarks: int, pairs: int, truth: float) -> tuple[float, float, float]:
    """(share covered, median width in standard deviations, share covered by the percentile bootstrap)."""
    rng = np.random.default_rng(seeds * 1000 + benchmarks)
    sizes = [(f"b{k}", seeds) for k in range(benchmarks)]
    scales = np.linspace(1, 2, benchmarks)
    truth *= scales.mean()
    hits, percentile, widths = 0, 0, []
    for number in range(pairs):
        strata = [shape(rng, (seeds,)) * scale for scale in scales]
        indices = draw(sizes, number)
        low, high = interval(strata, indices)
        hits += low <= truth <= high
        widths.append(high - low)
        means = np.mean([iqm(x[i]) for x, i in zip(strata, indices, strict=True)], axis=0)
        low, high = np.quantile(means, [0.025, 0.975])
        percentile += low <= truth <= high
    sd = np.std(shape(rng, (10_000,)))
    return hits / pairs, float(np.median(widths) / sd), percentile / pairs


def detection(shape: Draw, delta: float, repeats: int) -> tuple[int, float]:
    """(planned pairs, share of repeats in which the interval excludes 0 and the sign-flip test falls below .05)."""
    rng = np.random.default_rng(0)
    sample = shape(rng, (1_000_000,))
    middle = float(iqm(sample))
    planned = pairs_needed(spread_of([sample]), delta) + ALLOWANCE
    found = 0
    for number in range(repeats):
        strata = [shape(rng, (planned,)) - middle + delta]
        low, high = interval(strata, draw([("b", planned)], number))
        found += not low <= 0 <= high and sign_flip(strata, rng) < 0.05 and aggregate(strata) > 0
    return planned, found / repeats


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seeds", default="6,8,10,20,30")
    arguments = parser.parse_args()
    designs = [(int(n), 1) for n in arguments.seeds.split(",")] + [(5, 2), (5, 4), (10, 3)]
    print(f"{'differences':22s} {'design':>16s} {'covered':>8s} {'width/sd':>9s} {'percentile':>11s}")
    for name, shape in SHAPES.items():
        truth = true_value(shape)
        for seeds, benchmarks in designs:
            share, width, percentile = coverage(shape, seeds, benchmarks, arguments.pairs, truth)
            design = f"{benchmarks} x {seeds} seeds"
            print(f"{name:22s} {design:>16s} {share:8.3f} {width:9.2f} {percentile:11.3f}", flush=True)
    for name, shape in SHAPES.items():
        for size in (0.8, 0.5, 0.3):
            delta = size * float(np.std(shape(np.random.default_rng(0), (100_000,))))
            planned, share = detection(shape, delta, min(arguments.pairs, 300))
            print(
                f"{name:22s} to show {size} sd with a power of 0.80: {planned:3d} seeds, shown in {share:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
