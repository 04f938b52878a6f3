"""What all kinds of successive halving share: levels of resource, and brackets that begin at them."""

from hpo.errors import ConfigError
from hpo.events.values import Configuration, Trial
from hpo.schedulers.base import OutcomeScheduler, maximum_of
from hpo.schedulers.rungs import rung_levels
from hpo.searchers.base import Searcher


class Halving(OutcomeScheduler):
    """Levels and brackets.

    Args:
        searcher: where new configurations come from.
        max_resource: the resource R at which a trial is complete.
        min_resource: the lowest rung.
        reduction_factor: η, the ratio of one rung to the one below.
        brackets: bracket s skips the s lowest rungs; None takes as many as there are levels.

    Raises:
        ConfigError: an argument leaves no rungs or brackets.
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
        self.maximum = maximum_of(max_resource)
        super().__init__(searcher, max_resource=max_resource)
        self.levels = rung_levels(min_resource, self.maximum, reduction_factor)
        most = len(self.levels) + 1
        self.brackets = most if brackets is None else brackets
        if not 1 <= self.brackets <= most:
            raise ConfigError(f"method.scheduler.brackets={brackets}: use 1 to {most} with the rungs {self.levels}")
        self.steps = [*self.levels, self.maximum]
        """The rungs and the maximum, ascending: bracket s begins at the one of index s."""
        self._configurations: dict[int, Configuration] = {}

    def on_complete(self, trial: Trial) -> None:
        """A trial whose script ended by itself has nothing to go on for."""
        self._leave(trial)
        super().on_complete(trial)

    def on_error(self, trial: Trial) -> None:
        """A failed trial never goes on."""
        self._leave(trial)
        super().on_error(trial)

    def _leave(self, trial: Trial) -> None:
        """No further result of this trial will follow."""
