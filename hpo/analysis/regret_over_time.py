"""Regret with its interval and mean ranks over time, on a grid of elapsed times for plots.

Only plots use the grid; the scores of a comparison are exact integrals.
"""

from dataclasses import dataclass

import numpy as np

from hpo.analysis.bootstrap import draw, interval, iqm
from hpo.analysis.scores import BenchmarkScores
from hpo.surrogate.arrays import Floats

POINTS = 80
RESAMPLES = 999
"""Number of bootstrap resamples per point of time; the intervals of the scores use more."""


@dataclass(frozen=True, eq=False, slots=True)
class OverTime:
    """Regret and ranks over time on one benchmark, methods in the order of its block."""

    times: Floats
    """Elapsed times, shape (points,), evenly spaced in log time over the scored range."""
    regret: Floats
    """Interquartile mean over seeds of the normalised regret, shape (methods, points)."""
    low: Floats
    """Pointwise 95 % confidence limits of the regret; nan if there is no interval."""
    high: Floats
    rank: Floats
    """Mean over seeds of the incumbent's rank, 1 is best, shape (methods, points)."""


def over_time(scored: BenchmarkScores, random_seed: int = 0) -> OverTime:
    """Return regret and ranks over time for all methods of one benchmark.

    Args:
        scored: Scores of the benchmark.
        random_seed: Seed of the bootstrap.
    """
    from scipy.stats import rankdata

    block, scale = scored.block, scored.scale
    times = np.geomspace(scale.start, scale.end, POINTS)
    times[0], times[-1] = scale.start, scale.end
    rows = [[block.runs[method, seed].trajectory for seed in block.seeds] for method in block.methods]
    losses = np.array([[[run.at(time) for time in times] for run in row] for row in rows])
    regret = scale.regret(losses)
    indices = draw([(block.benchmark, len(block.seeds))], random_seed, RESAMPLES)
    limits = np.array([[interval([row[:, t]], indices) for t in range(POINTS)] for row in regret])
    return OverTime(
        times=times,
        regret=iqm(np.moveaxis(regret, 1, -1)),
        low=np.clip(limits[:, :, 0], 0.0, 1.0),
        high=np.clip(limits[:, :, 1], 0.0, 1.0),
        rank=rankdata(losses, axis=0).mean(axis=1),
    )
