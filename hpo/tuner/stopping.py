"""When an experiment ends: the budgets, and a target."""

from dataclasses import dataclass
from typing import Any

from hpo.config.schema import budget_keys
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one experiment; None is no limit."""

    max_wallclock_time: float | None = None
    """Seconds, all sessions added up."""
    max_num_trials: int | None = None
    """Trials started, without those that train a failed one again; when it is reached the running and paused ones go on."""
    max_num_evaluations: int | None = None
    """Reports; when it is reached everything stops."""
    max_cost: float | None = None
    """Of all trials together, by the benchmark's `cost_attr`; when it is spent everything stops."""
    target_value: float | None = None
    """Of the metric; when a report is at least so good everything stops."""

    def limits(self, objective: Objective) -> dict[str, Any]:
        """By their keys, those that the experiment can have."""
        return {key: getattr(self, key) for key in budget_keys(objective.cost_attr)}

    def spent(self, state: ExperimentState, elapsed: float) -> str | None:
        """Why everything stops now: a budget is used up, or the target reached; None while it goes on."""
        if self.max_wallclock_time is not None and elapsed >= self.max_wallclock_time:
            return f"max_wallclock_time={self.max_wallclock_time:g} s is over"
        if self.max_num_evaluations is not None and state.reports >= self.max_num_evaluations:
            return f"max_num_evaluations={self.max_num_evaluations} reports are in"
        if self.max_cost is not None and state.spending.total >= self.max_cost:
            return f"max_cost={self.max_cost:g} is spent: {state.objective.cost_attr} adds up to {state.spending.total:.6g}"
        best = state.incumbent
        if self.target_value is not None and best is not None:
            metric, value = state.objective.metric, state.objective.value(best.loss)
            if state.objective.reaches(value, self.target_value):
                return f"target_value={self.target_value:g} is reached: {metric} {value:g}"
        return None

    def allows_new_trial(self, state: ExperimentState) -> bool:
        """May another trial be started?"""
        return self.max_num_trials is None or state.counted_trials < self.max_num_trials

    def time_left(self, elapsed: float) -> float | None:
        """Seconds until `max_wallclock_time`; None without one."""
        return None if self.max_wallclock_time is None else max(self.max_wallclock_time - elapsed, 0.0)
