"""Asynchronous successive halving that can afford what it promotes: the scheduler of ASHA-GP-TIME."""

from typing import Any

from hpo.errors import ConfigError
from hpo.events.values import Resume, Suggestion, Trial
from hpo.schedulers.asha import ASHA
from hpo.schedulers.rungs import next_level
from hpo.searchers.base import Searcher

FIRST = 0
"""The trial with the first configuration: a point to evaluate, else the default or the centre."""


class ThriftyASHA(ASHA):
    """As ASHA, but no promotion costs more than all trials have cost so far, as long as anything else can be done.

    Where costs of trials differ by orders of magnitude, a promotion that looks only at results can bind a worker for most
    of an experiment, to one of the first few configurations. Such a one waits here until as much has been spent on
    others; what it will cost is told by what the trial has cost so far per unit of resource. Where all cost the same
    nothing ever waits, and where no costs are told it is ASHA. A cost is what the benchmark names, else seconds.

    The first trial may be sent on where it is alone in its rung, which ASHA does when a second one has got there. It has the
    default or the centre of the space, which of a space that somebody chose is often good; and a complete result is there
    early, where with one worker ASHA has none for a long time.

    Args:
        searcher: where new configurations come from.
        first_goes_on: the first trial of all goes on wherever no other has been in its rung.
        **options: of ASHA.

    Raises:
        ConfigError: `first_goes_on` is neither true nor false.
    """

    counts_seconds = True

    def __init__(self, searcher: Searcher, *, first_goes_on: bool = False, **options: Any) -> None:
        super().__init__(searcher, **options)
        if not isinstance(first_goes_on, bool):
            raise ConfigError(f"method.scheduler.first_goes_on={first_goes_on!r}: use true or false")
        self._first_goes_on = first_goes_on
        self._rates: dict[int, float] = {}  # what each trial has cost per unit of resource

    def propose(self, *, new_trials: bool = True) -> Suggestion | None:
        """A promotion that can be afforded, else a new trial, else the cheapest promotion that there is."""
        waiting: list[tuple[float, int, int]] = []
        for system in self._systems:
            for rung in reversed(system):
                above = next_level(self.levels, rung.level, self.maximum)
                for trial_id in rung.all_promotable():
                    cost = self._rates.get(trial_id, 0.0) * (above - rung.level)
                    if cost <= self._spending.total:
                        return Resume(trial_id, above)
                    waiting.append((cost, trial_id, above))
                if self._first_goes_on and rung.alone() == FIRST:
                    return Resume(FIRST, above)
        configuration = self.searcher.propose() if new_trials else None
        if configuration is not None:
            return self.start_of(configuration)
        return Resume(*min(waiting)[1:]) if waiting else None

    def on_cost(self, trial: Trial, resource: int, cost: float) -> None:
        """What the trial has cost up to a resource."""
        super().on_cost(trial, resource, cost)
        self._rates[trial.id] = self._spending.of[trial.id] / resource
