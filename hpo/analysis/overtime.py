"""Methods over time: regret with its interval, and mean ranks, on a grid of elapsed times for drawing.

The scores of a comparison are exact integrals; only figures use a grid.
"""

from dataclasses import dataclass

import numpy as np

from hpo.analysis.bootstrap import draw, interval, iqm
from hpo.analysis.scores import Scored
from hpo.history.trajectories import Floats

POINTS = 80
RESAMPLES = 999
"""Per point of time; the scores' own intervals take more."""


@dataclass(frozen=True, eq=False, slots=True)
class OverTime:
    """Arrays of one benchmark, methods in the order of its block."""

    times: Floats
    """Shape (points,), evenly spaced in log time over the range that is scored."""
    regret: Floats
    """IQM over seeds, shape (methods, points)."""
    low: Floats
    """Pointwise 95 % limits; nan where there is no interval."""
    high: Floats
    rank: Floats
    """Mean over seeds of the rank of the incumbent, 1 is best, shape (methods, points)."""


def over_time(scored: Scored, random_seed: int = 0) -> OverTime:
    """Regret and ranks of all methods of one benchmark.

    Args:
        scored: the benchmark.
        random_seed: of the bootstrap.
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
