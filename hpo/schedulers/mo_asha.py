"""Multi-objective asynchronous successive halving (MO-ASHA).

Schmucker, Donini, Zafar, Salinas & Archambeau, "Multi-objective Asynchronous Successive Halving" (2021). A rung ranks trials
by non-dominated fronts and by spread within each front, and promotes those that rank first. With one objective it is ASHA.
"""

from collections.abc import Sequence

from hpo.schedulers.asha import ASHA
from hpo.schedulers.capabilities import SchedulerCapabilities
from hpo.schedulers.pareto_rungs import ParetoRung
from hpo.schedulers.rungs import Rung, make_rungs


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
