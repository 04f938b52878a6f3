"""Asynchronous successive halving that can afford what it promotes: the scheduler of ASHA-GP-TIME and ASHA-GP-THRIFT."""

import math
from typing import Any

from hpo.errors import ConfigError
from hpo.events.values import Resume, Suggestion, Trial
from hpo.schedulers.asha import ASHA
from hpo.schedulers.rungs import next_level
from hpo.searchers.base import Searcher


class ThriftyASHA(ASHA):
    """As ASHA, but no promotion costs more than all trials have cost so far, as long as anything else can be done.

    Where costs of trials differ by orders of magnitude, a promotion that looks only at results can bind a worker for most
    of an experiment, to one of the first few configurations. Such a one waits here until as much has been spent on
    others; what it will cost is told by what the trial has cost so far per unit of resource. Where all cost the same
    nothing ever waits, and where no costs are told it is ASHA. A cost is what the benchmark names, else seconds.

    The other way round, what is cheap need not wait for company: a trial that is alone in its rung, which ASHA sends on when
    a second one has got there.

    Args:
        searcher: where new configurations come from.
        lone: a trial that is alone in its rung goes on where that costs at most so many times what all trials have cost.
        **options: of ASHA.

    Raises:
        ConfigError: `lone` is no number, or negative.
    """

    counts_seconds = True

    def __init__(self, searcher: Searcher, *, lone: float = 0.0, **options: Any) -> None:
        super().__init__(searcher, **options)
        if isinstance(lone, bool) or not isinstance(lone, int | float) or not 0 <= lone < math.inf:
            raise ConfigError(f"method.scheduler.lone={lone!r}: use a number of at least 0, such as 1")
        self._lone = float(lone)
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
                if self._lone and (alone := rung.alone()) is not None:
                    cost = self._rates.get(alone, math.inf) * (above - rung.level)
                    if cost <= self._lone * self._spending.total:
                        return Resume(alone, above)
        configuration = self.searcher.propose() if new_trials else None
        if configuration is not None:
            return self.start_of(configuration)
        return Resume(*min(waiting)[1:]) if waiting else None

    def on_cost(self, trial: Trial, resource: int, cost: float) -> None:
        """What the trial has cost up to a resource."""
        super().on_cost(trial, resource, cost)
        self._rates[trial.id] = self._spending.of[trial.id] / resource
