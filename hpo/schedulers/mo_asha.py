"""Multi-objective asynchronous successive halving (MO-ASHA).

Schmucker, Donini, Zafar, Salinas & Archambeau, "Multi-objective Asynchronous Successive Halving" (2021). A rung ranks trials
by non-dominated fronts and by spread within each front, and promotes those that rank first. With one objective it is ASHA.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hpo.schedulers.asha import ASHA
from hpo.schedulers.capabilities import SchedulerCapabilities
from hpo.schedulers.rungs import Order, Rung, is_finite, make_rungs


@dataclass(slots=True)
class ParetoRung(Rung):
    """A rung of multi-objective successive halving; with one objective it promotes the same trials as `Rung`."""

    _all: dict[int, Order] = field(default_factory=dict)
    _waiting: set[int] = field(default_factory=set)
    _next: list[int] | None = None
    """Trials to promote, computed once and stored in reverse order; None if they must be computed again."""

    def record(self, trial_id: int, order: Order) -> None:
        """Record the result of a trial that reached this rung and does not wait for promotion."""
        self._all[trial_id] = order
        self._next = None

    def record_waiting(self, trial_id: int, order: Order) -> None:
        """Record the result of a trial that waits here for promotion; a diverged trial is recorded but never promoted."""
        self.record(trial_id, order)
        if is_finite(order):
            self._waiting.add(trial_id)

    def promotable(self) -> int | None:
        """Return the waiting trial that ranks first, if it is within the cut-off, else None; ties go to the lower id."""
        if len(self._all) < 2 or not self._waiting:
            return None
        if self._next is None:
            self._next = self._within()
        while self._next and self._next[-1] not in self._waiting:
            self._next.pop()
        return self._next[-1] if self._next else None

    def _within(self) -> list[int]:
        # Imported here because experiments with one objective do not need it.
        from hpo.surrogate.pareto import epsilon_net_ranks

        most = (len(self._all) - 1) * self.quantile
        ids = sorted(self._all)
        positions = epsilon_net_ranks([self._all[trial_id] for trial_id in ids], most)
        found = [(position, trial_id) for position, trial_id in zip(positions, ids, strict=True) if position <= most]
        return [trial_id for _, trial_id in sorted(found, reverse=True) if trial_id in self._waiting]

    def remove(self, trial_id: int) -> None:
        """Record that a trial no longer waits for promotion; its result still counts."""
        self._waiting.discard(trial_id)


class MOASHA(ASHA):
    """Multi-objective ASHA: trials pause at their next rung, and those that rank first by Pareto fronts are resumed.

    Trials that violate a constraint rank behind those that do not. Trials that diverged in any objective are never promoted.
    """

    capabilities = SchedulerCapabilities(pauses=True, constraints=True, violations="ranked", objectives=True)

    @property
    def unpausing(self) -> str:
        """Advice to a user whose script saves no checkpoints: a multi-objective method that runs every trial to its end."""
        return 'method="NSGA-II", which never pauses trials'

    def _make_rungs(self, levels: Sequence[int]) -> list[Rung]:
        return [ParetoRung(rung.level, rung.quantile) for rung in make_rungs(levels, self.maximum)]
