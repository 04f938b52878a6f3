"""Cost-aware asynchronous successive halving: a promotion waits until it is affordable (the scheduler of ASHA-GP-TIME)."""

from typing import Any

from hpo.errors import ConfigError
from hpo.events.types import Resume, Suggestion, Trial
from hpo.schedulers.asha import ASHA
from hpo.schedulers.capabilities import SchedulerCapabilities
from hpo.schedulers.rungs import next_level
from hpo.searchers.base import Searcher

FIRST = 0
"""Id of the first trial, whose configuration is the first point to evaluate, else the default or the centre of the space."""


class ThriftyASHA(ASHA):
    """Cost-aware ASHA: a promotion that would cost more than all trials so far waits as long as other work is possible.

    If costs of trials differ by orders of magnitude, a promotion that looks only at results can occupy a worker for most
    of an experiment, with one of the first few configurations. Here such a promotion waits until as much has been spent
    on other trials. Its cost is predicted from what the trial has cost so far per unit of resource. If all trials cost
    the same, no promotion waits. If no costs are known, this is ASHA. A cost is the metric that the benchmark names for
    it, else seconds.

    With `first_goes_on`, the first trial is promoted even if it is alone in its rung; ASHA waits for a second trial
    there. The first trial has the default or central configuration, which in a hand-designed search space is often good.
    A full-budget evaluation is then available early, while ASHA with one worker has none for a long time.

    Args:
        searcher: Searcher that proposes configurations for new trials.
        first_goes_on: Whether the first trial is promoted from a rung that no other trial has reached.
        **options: Arguments of `ASHA`.

    Raises:
        ConfigError: `first_goes_on` is neither true nor false.
    """

    capabilities = SchedulerCapabilities(pauses=True, constraints=True, violations="ranked", counts_seconds=True)

    def __init__(self, searcher: Searcher, *, first_goes_on: bool = False, **options: Any) -> None:
        super().__init__(searcher, **options)
        if not isinstance(first_goes_on, bool):
            raise ConfigError(f"method.scheduler.first_goes_on={first_goes_on!r}: use true or false")
        self._first_goes_on = first_goes_on
        self._rates: dict[int, float] = {}  # what each trial has cost per unit of resource

    def propose(self, *, new_trials: bool = True) -> Suggestion | None:
        """Return an affordable promotion, else a new trial, else the cheapest promotion."""
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
            return self.make_start(configuration)
        return Resume(*min(waiting)[1:]) if waiting else None

    def on_cost(self, trial: Trial, resource: int, cost: float) -> None:
        """Record what a trial has cost up to a resource, and from that its cost per unit of resource."""
        super().on_cost(trial, resource, cost)
        self._rates[trial.id] = self._spending.of[trial.id] / resource
