"""Rungs on which several losses are compared: the results in an order of fronts, each of which is spread out."""

from dataclasses import dataclass, field

from hpo.schedulers.rungs import Order, Rung, is_finite


@dataclass(slots=True)
class FrontRung(Rung):
    """The results at one level; of one loss it says what `Rung` says."""

    _all: dict[int, Order] = field(default_factory=dict)
    _waiting: set[int] = field(default_factory=set)
    _next: list[int] | None = None
    """Those within the cut-off that waited when this was found out, the last to be promoted first; None: not known."""

    def record(self, trial_id: int, order: Order) -> None:
        """A trial got here and does not wait."""
        self._all[trial_id] = order
        self._next = None

    def park(self, trial_id: int, order: Order) -> None:
        """A trial got here and waits for a promotion; one that diverged is recorded but never promoted."""
        self.record(trial_id, order)
        if is_finite(order):
            self._waiting.add(trial_id)

    def promotable(self) -> int | None:
        """The waiting trial that comes first, if it is among those that may go on; of equal ones the lowest id."""
        if len(self._all) < 2 or not self._waiting:
            return None
        if self._next is None:
            self._next = self._within()
        while self._next and self._next[-1] not in self._waiting:
            self._next.pop()
        return self._next[-1] if self._next else None

    def _within(self) -> list[int]:
        # Not at the top: NumPy's part of it is of no use to who has one objective.
        from hpo.surrogate.domination import net_positions

        most = (len(self._all) - 1) * self.quantile
        ids = sorted(self._all)
        positions = net_positions([self._all[trial_id] for trial_id in ids], most)
        found = [(position, trial_id) for position, trial_id in zip(positions, ids, strict=True) if position <= most]
        return [trial_id for _, trial_id in sorted(found, reverse=True) if trial_id in self._waiting]

    def remove(self, trial_id: int) -> None:
        """The trial no longer waits here. Its result stays and counts among all."""
        self._waiting.discard(trial_id)
