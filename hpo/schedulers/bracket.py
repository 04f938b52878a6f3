"""A bracket of synchronous successive halving, in which a rung closes when all of its trials have finished.

Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization" (AISTATS 2016), section 4;
sizes as in Li et al., "Hyperband" (JMLR 18, 2018), Algorithm 1, rounded up.
"""

from bisect import insort
from collections.abc import Sequence

from hpo.schedulers.rungs import Order, is_finite


def bracket_sizes(steps: Sequence[int], skipped: int) -> list[int]:
    """Return the number of trials in each rung of a bracket that skips the `skipped` lowest rungs.

    A rung at resource r has ⌈c · R / r⌉ trials, so that every rung costs about the same. The factor is c = K / (K -
    skipped) for K steps, so that every bracket costs about the same.

    Args:
        steps: Resources of the rungs and the maximum R, ascending; K in number.
        skipped: Number of rungs that the bracket skips, below K.
    """
    count, maximum = len(steps), steps[-1]
    return [-(-count * maximum // ((count - skipped) * step)) for step in steps[skipped:]]


class Bracket:
    """A group of trials that start at the same rung and are compared only with each other.

    Args:
        steps: Resources of the rungs, ascending; the last is the maximum.
        sizes: Number of trials in each rung.
    """

    def __init__(self, steps: Sequence[int], sizes: Sequence[int]) -> None:
        self._steps, self._sizes = steps, sizes
        self._rung = 0
        self._entered = 0  # trials in the current rung, now, before, or once promoted
        self._room = sizes[0]  # number of trials that may still start
        self._unnumbered = 0  # number of starting trials that have no id yet
        self._running: set[int] = set()
        self._results: list[tuple[Order, int]] = []  # finite results at the current rung, ascending
        self._chosen: list[int] = []  # promoted to the current rung and not resumed, best first

    @property
    def resource(self) -> int:
        """The resource of the current rung, up to which its trials train and at which they wait."""
        return self._steps[self._rung]

    @property
    def has_room(self) -> bool:
        """Whether a new trial may start in this bracket."""
        return self._room > 0

    @property
    def is_over(self) -> bool:
        """Whether the bracket has finished: no trial can start in it, runs in it, or waits in it."""
        return not (self._room or self._unnumbered or self._running or self._chosen or self._results)

    def reserve(self) -> None:
        """Reserve room for a trial that is about to start and has no id yet."""
        self._room -= 1
        self._entered += 1
        self._unnumbered += 1

    def begin(self, trial_id: int) -> None:
        """Record that a trial has started in the room reserved for it."""
        self._unnumbered -= 1
        self._running.add(trial_id)

    def next(self) -> int | None:
        """Return the best trial that is promoted to the current rung and not yet resumed; None if there is none."""
        return self._chosen[0] if self._chosen else None

    def next_if_closed(self) -> tuple[int, int] | None:
        """Return the best trial and the resource to promote it to if no more trials can start; None while some still run."""
        stuck = self._room and not (self._unnumbered or self._running)
        if not stuck or not self._results or len(self._steps) == 1:
            return None
        return self._results[0][1], self._steps[1]

    def resume(self, trial_id: int) -> None:
        """Record that a trial resumes towards the next rung; no new trial may start in the bracket after that."""
        if self._room:
            self._room = 0
            self._advance()
        self._chosen.remove(trial_id)
        self._running.add(trial_id)

    def record(self, trial_id: int, order: Order) -> None:
        """Record a trial's result at the current rung (lower is better), and close the rung if it was the last one."""
        self._running.discard(trial_id)
        if is_finite(order):
            insort(self._results, (order, trial_id))
        self._advance()

    def lose(self, trial_id: int) -> None:
        """Remove a trial that will report no more results, whether it runs or waits."""
        self._running.discard(trial_id)
        self._chosen = [chosen for chosen in self._chosen if chosen != trial_id]
        self._results = [(order, other) for order, other in self._results if other != trial_id]
        self._advance()

    def _advance(self) -> None:
        """Close the current rung if all its trials have finished, and choose those to promote."""
        if self._room or self._unnumbered or self._running or self._chosen:
            return
        if self._rung + 1 < len(self._steps):
            here, after = self._sizes[self._rung : self._rung + 2]
            # If the rung was closed before it was full, promote in proportion to its size.
            self._chosen = [trial_id for _, trial_id in self._results[: -(-self._entered * after // here)]]
            self._entered = len(self._chosen)
            self._rung += 1
        self._results = []
