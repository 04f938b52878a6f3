"""Incumbent trajectories: the best result so far as a right-continuous step function of elapsed time.

Never interpolated: between two improvements the incumbent is the earlier one, and before the first result there is
none (loss +inf). Linear interpolation would credit an improvement before it happened.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Trajectory:
    """Improvements of one experiment.

    Attributes:
        times: elapsed seconds of each improvement, shape (n,), strictly increasing.
        losses: the incumbent's loss from that time on, shape (n,), strictly decreasing and finite.
    """

    times: Floats
    losses: Floats

    @classmethod
    def of(cls, reports: Iterable[tuple[float, float]]) -> "Trajectory":
        """From (elapsed seconds, loss) in the order of the log; losses of +inf are nobody's best."""
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
        """The incumbent's loss at a time, improvements at that very time included; +inf before the first result."""
        index = int(np.searchsorted(self.times, elapsed, side="right"))
        return float(self.losses[index - 1]) if index else np.inf

    def time_to(self, target: float) -> float:
        """Elapsed seconds at which the incumbent first is as good as a loss `target`; +inf when it never is."""
        reached = np.flatnonzero(self.losses <= target)
        return float(self.times[reached[0]]) if len(reached) else np.inf

    def steps(self, start: float, end: float) -> tuple[Floats, Floats]:
        """The step function between two times.

        Returns:
            edges, shape (k + 1,), from `start` to `end`, and the losses between them, shape (k,); the first may be +inf.
        """
        inside = (self.times > start) & (self.times < end)
        edges = np.concatenate(([start], self.times[inside], [end]))
        return edges, np.concatenate(([self.at(start)], self.losses[inside]))


def log_time_mean(edges: Floats, values: Floats) -> float:
    """The mean of a step function over log time: the limit of an ever finer log-spaced grid, exact.

    Args:
        edges: increasing positive times, shape (k + 1,).
        values: between them, shape (k,).
    """
    widths = np.diff(np.log(edges))
    return float(np.sum(widths * values) / np.sum(widths))
