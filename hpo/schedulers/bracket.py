"""A bracket of synchronous successive halving: one rung at a time, closed when all of its trials are done.

Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization" (AISTATS 2016), section 4;
sizes as in Li et al., "Hyperband" (JMLR 18, 2018), Algorithm 1, rounded up.
"""

from bisect import insort
from collections.abc import Sequence

from hpo.schedulers.rungs import Order, is_finite


def bracket_sizes(steps: Sequence[int], skipped: int) -> list[int]:
    """Places in each rung of the bracket that leaves out the `skipped` lowest of `steps`.

    At resource r there are ⌈c · R / r⌉ of them, so that every rung costs about the same, and c = K / (K - skipped) for
    K steps, so that every bracket does.

    Args:
        steps: resources of the rungs and the maximum R, ascending.
        skipped: below K.
    """
    count, maximum = len(steps), steps[-1]
    return [-(-count * maximum // ((count - skipped) * step)) for step in steps[skipped:]]


class Bracket:
    """Trials that begin at the same rung and are compared with each other alone.

    Args:
        steps: resources of its rungs, ascending, the last is the maximum.
        sizes: places in each.
    """

    def __init__(self, steps: Sequence[int], sizes: Sequence[int]) -> None:
        self._steps, self._sizes = steps, sizes
        self._rung = 0
        self._entered = 0  # trials that are or were in the current rung, or may go on to it
        self._room = sizes[0]  # trials that may still begin
        self._unnumbered = 0  # of those that begin, without a trial id yet
        self._running: set[int] = set()
        self._results: list[tuple[Order, int]] = []  # of the current rung, finite ones, ascending
        self._chosen: list[int] = []  # may go on to the current rung, best first

    @property
    def resource(self) -> int:
        """That of the current rung: where its trials are going, or wait."""
        return self._steps[self._rung]

    @property
    def has_room(self) -> bool:
        """May a trial begin here?"""
        return self._room > 0

    @property
    def is_over(self) -> bool:
        """Is there nothing left to come?"""
        return not (self._room or self._unnumbered or self._running or self._chosen or self._results)

    def reserve(self) -> None:
        """A place for a trial that begins, and has no id yet."""
        self._room -= 1
        self._entered += 1
        self._unnumbered += 1

    def begin(self, trial_id: int) -> None:
        """The trial takes the place reserved for it."""
        self._unnumbered -= 1
        self._running.add(trial_id)

    def next(self) -> int | None:
        """The best trial that may go on to the current rung and has not been resumed."""
        return self._chosen[0] if self._chosen else None

    def next_if_closed(self) -> tuple[int, int] | None:
        """The best trial and where it would go, if no further trial began: (id, resource); None while some still run."""
        stuck = self._room and not (self._unnumbered or self._running)
        if not stuck or not self._results or len(self._steps) == 1:
            return None
        return self._results[0][1], self._steps[1]

    def resume(self, trial_id: int) -> None:
        """The trial goes on to the next rung, which closes the first one to further trials."""
        if self._room:
            self._room = 0
            self._advance()
        self._chosen.remove(trial_id)
        self._running.add(trial_id)

    def record(self, trial_id: int, order: Order) -> None:
        """The trial has got to the current rung; what is compared there, lower is better."""
        self._running.discard(trial_id)
        if is_finite(order):
            insort(self._results, (order, trial_id))
        self._advance()

    def lose(self, trial_id: int) -> None:
        """Nothing more will come of the trial, wherever it is."""
        self._running.discard(trial_id)
        self._chosen = [chosen for chosen in self._chosen if chosen != trial_id]
        self._results = [(order, other) for order, other in self._results if other != trial_id]
        self._advance()

    def _advance(self) -> None:
        """Close the current rung if all its trials are done, and choose those that go on."""
        if self._room or self._unnumbered or self._running or self._chosen:
            return
        if self._rung + 1 < len(self._steps):
            here, after = self._sizes[self._rung : self._rung + 2]
            # In proportion, where the rung was closed before it was full.
            self._chosen = [trial_id for _, trial_id in self._results[: -(-self._entered * after // here)]]
            self._entered = len(self._chosen)
            self._rung += 1
        self._results = []
