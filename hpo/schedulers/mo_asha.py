"""Asynchronous successive halving with several objectives.

Schmucker, Donini, Zafar, Salinas & Archambeau, "Multi-objective Asynchronous Successive Halving" (2021): of a rung those go
on that come first in an order of non-dominated fronts, each of them spread out. With one objective it is ASHA.
"""

from collections.abc import Sequence

from hpo.schedulers.asha import ASHA
from hpo.schedulers.front_rungs import FrontRung
from hpo.schedulers.rungs import Rung, make_rungs


class MOASHA(ASHA):
    """Promotion type: every trial pauses at its next rung; a free worker resumes the first one that may go on.

    What breaks a constraint comes behind what does not, and what diverged in any objective never goes on.
    """

    takes_objectives = True
    takes_hurdles = False

    @property
    def unpausing(self) -> str:
        """What takes several objectives and runs every trial to its end."""
        return 'method="NSGA-II", which never pauses trials'

    def _make_rungs(self, levels: Sequence[int]) -> list[Rung]:
        return [FrontRung(rung.level, rung.quantile) for rung in make_rungs(levels, self.maximum)]
