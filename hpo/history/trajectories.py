"""Incumbent trajectories: the best result so far as a right-continuous step function of elapsed time.

Trajectories are never interpolated: between two improvements the incumbent is the earlier one, and before the first
result there is none (loss +inf). Linear interpolation would credit an improvement before it happened.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hpo.surrogate.arrays import Floats


@dataclass(frozen=True, eq=False, slots=True)
class Trajectory:
    """The incumbent's improvements in one experiment.

    Attributes:
        times: Elapsed seconds of each improvement, shape (n,), strictly increasing.
        losses: Loss of the incumbent from that time on, shape (n,), strictly decreasing and finite.
    """

    times: Floats
    losses: Floats

    @classmethod
    def of(cls, reports: Iterable[tuple[float, float]]) -> "Trajectory":
        """Build a trajectory from pairs (elapsed seconds, loss) in the order of the log; losses of +inf are ignored."""
        times: list[float] = []
        losses: list[float] = []
        best = np.inf
        for elapsed, loss in reports:
            if loss < best:
                best = loss
                if times and elapsed <= times[-1]:
                    losses[-1] = loss  # at the same moment only the best counts
                else:
                    times.append(elapsed)
                    losses.append(loss)
        return cls(np.array(times, dtype=float), np.array(losses, dtype=float))

    def at(self, elapsed: float) -> float:
        """Return the incumbent's loss at a time, including improvements at that very time; +inf before the first result."""
        index = int(np.searchsorted(self.times, elapsed, side="right"))
        return float(self.losses[index - 1]) if index else np.inf

    def time_to(self, target: float) -> float:
        """Return the elapsed seconds at which the incumbent first is as good as the loss `target`; +inf if it never is."""
        reached = np.flatnonzero(self.losses <= target)
        return float(self.times[reached[0]]) if len(reached) else np.inf

    def steps(self, start: float, end: float) -> tuple[Floats, Floats]:
        """Return the step function between two times.

        Returns:
            Edges from `start` to `end`, shape (k + 1,), and the losses between them, shape (k,); the first may be +inf.
        """
        inside = (self.times > start) & (self.times < end)
        edges = np.concatenate(([start], self.times[inside], [end]))
        return edges, np.concatenate(([self.at(start)], self.losses[inside]))


def log_time_mean(edges: Floats, values: Floats) -> float:
    """Return the exact mean of a step function over log time, which is the limit of ever finer log-spaced grids.

    Args:
        edges: Increasing positive times, shape (k + 1,).
        values: Values between the edges, shape (k,).
    """
    widths = np.diff(np.log(edges))
    return float(np.sum(widths * values) / np.sum(widths))
