"""Simulated confirmations: is what they choose better than what the search chose, do intervals cover, what is saved?

A search sees 100 configurations, whose true mean losses are half-normal, each once and with noise. Its best three and a
random one, the default, are confirmed with up to so many seeds. A part of the noise of a training belongs to its seed and
moves all configurations alike. Prints one line per level of noise (in standard deviations of the true means, so that 1 is
noise of the size of the differences):

    chosen    true mean of the configuration that the confirmation chooses (lower is better)
    fixed     the same without stopping early
    searched  true mean of the search's best
    coverage  share of 95 % intervals that contain the true mean of the chosen configuration
    saved     share of trainings that stopping early saves
"""

import argparse
from dataclasses import astuple, dataclass, fields

import numpy as np

from hpo.confirmation.evidence import choose, mean_of, worthwhile


@dataclass(frozen=True)
class Found:
    """Averages over simulated confirmations."""

    chosen: float
    fixed: float
    searched: float
    coverage: float
    saved: float


def simulate(*, noise: float, searches: int, seeds: int, top: int, common: float, random_seed: int) -> Found:
    """Simulate searches and their confirmations.

    Args:
        noise: Standard deviation of a training's loss, in standard deviations of the configurations' true means.
        searches: How many.
        seeds: Trainings of each candidate, at most.
        top: Candidates besides the default.
        common: Correlation of two configurations' noise with the same seed, as a share of the standard deviation.
        random_seed: Of all random numbers.
    """
    rng = np.random.default_rng(random_seed)
    rows = []
    for _ in range(searches):
        means = np.abs(rng.normal(size=100))
        best = np.argsort(means + noise * rng.normal(size=100))[:top]
        candidates = [*best, rng.integers(100)]
        own = noise * np.sqrt(1 - common**2) * rng.normal(size=(len(candidates), seeds))
        values = means[candidates][:, None] + noise * common * rng.normal(size=seeds) + own
        losses: list[list[float]] = [[] for _ in candidates]
        for seed in range(seeds):
            for k in worthwhile(losses, seeds) if seed else range(len(candidates)):
                losses[k].append(float(values[k, seed]))
        chosen = choose(losses)
        interval, truth = mean_of(losses, chosen), means[candidates[chosen]]
        fixed = means[candidates[int(values.mean(1).argmin())]]
        saved = 1 - sum(map(len, losses)) / values.size
        rows.append((truth, fixed, means[best[0]], interval.low <= truth <= interval.high, saved))
    return Found(*(float(value) for value in np.mean(np.array(rows, dtype=float), axis=0)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--common", type=float, default=0.5)
    options = parser.parse_args()
    print("noise  " + "  ".join(field.name.rjust(8) for field in fields(Found)))
    for noise in (0.05, 0.2, 1.0):
        found = simulate(
            noise=noise, searches=options.searches, seeds=options.seeds, top=3, common=options.common, random_seed=0
        )
        print(f"{noise:5}  " + "  ".join(f"{value:8.4f}" for value in astuple(found)))


if __name__ == "__main__":
    main()
