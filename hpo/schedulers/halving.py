"""Successive halving: what all its variants share, which is the rungs and the brackets that start at different rungs."""

from hpo.errors import ConfigError
from hpo.events.types import Configuration, Trial
from hpo.schedulers.base import OutcomeScheduler, require_max_resource
from hpo.schedulers.rungs import rung_levels
from hpo.searchers.base import Searcher


class Halving(OutcomeScheduler):
    """Base class of successive halving schedulers, which compare trials at rungs of growing resource.

    Args:
        searcher: Searcher that proposes configurations for new trials.
        max_resource: Resource R at which a trial is complete.
        min_resource: Resource of the lowest rung.
        reduction_factor: Ratio η of each rung's resource to that of the rung below.
        brackets: Number of brackets, of which bracket s skips the s lowest rungs; None for as many as possible.

    Raises:
        ConfigError: The arguments leave no rung or no bracket.
    """

    def __init__(
        self,
        searcher: Searcher,
        *,
        max_resource: int | None,
        min_resource: int,
        reduction_factor: float,
        brackets: int | None,
    ) -> None:
        self.maximum = require_max_resource(max_resource)
        super().__init__(searcher, max_resource=max_resource)
        self.levels = rung_levels(min_resource, self.maximum, reduction_factor)
        most = len(self.levels) + 1
        self.brackets = most if brackets is None else brackets
        if not 1 <= self.brackets <= most:
            raise ConfigError(f"method.scheduler.brackets={brackets}: use 1 to {most} with the rungs {self.levels}")
        self.steps = [*self.levels, self.maximum]
        """Resources of the rungs and the maximum, ascending; trials of bracket s start towards `steps[s]`."""
        self._configurations: dict[int, Configuration] = {}

    def on_complete(self, trial: Trial) -> None:
        """Withdraw a trial from promotion because its script has ended."""
        self._leave(trial)
        super().on_complete(trial)

    def on_error(self, trial: Trial) -> None:
        """Withdraw a failed trial from promotion."""
        self._leave(trial)
        super().on_error(trial)

    def _leave(self, trial: Trial) -> None:
        """Withdraw a trial from promotion, since it will report no more results."""
