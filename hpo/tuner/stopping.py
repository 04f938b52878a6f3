"""The rules by which an experiment ends: budgets, a target value, and too many failures in a row."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from hpo.config.budgets import budget_keys
from hpo.config.schema import ExperimentConfig
from hpo.events.device_time import price_of
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.types import Exit, Status
from hpo.tuner.trial_limits import Limits, see


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of one experiment; None is no limit."""

    max_wallclock_time: float | None = None
    """Seconds of all sessions together."""
    max_num_trials: int | None = None
    """Number of trials that may be started, without retries of failed ones; running and paused trials then continue."""
    max_num_evaluations: int | None = None
    """Number of reports after which all trials are stopped."""
    max_cost: float | None = None
    """Cost of all trials together, by the benchmark's `cost_attr`, after which all trials are stopped."""
    max_device_hours: float | None = None
    """Hours for which trials hold devices, added up over devices, after which all trials are stopped."""
    max_price: float | None = None
    """Price of those hours, by `device_price`, after which all trials are stopped."""
    device_price: float | None = None
    """Price of a device for an hour, in the unit of `max_price`."""
    target_value: float | None = None
    """Value of the metric; a report that is at least as good stops all trials."""
    devices_per_trial: int = 1
    """Number of devices that a trial holds while it runs."""

    @classmethod
    def of(cls, config: ExperimentConfig) -> Self:
        """Return the budget of an experiment."""
        return cls(**config.budget, devices_per_trial=config.devices_per_trial)

    def limits(self, objective: Objective) -> dict[str, Any]:
        """Return the limits that the experiment can have, by their keys."""
        return {key: getattr(self, key) for key in budget_keys(objective.cost_attr)}

    def recorded(self, objective: Objective) -> dict[str, Any]:
        """Return the limits as the log keeps them: those of device hours and money only if they are set."""
        later = ("max_device_hours", "max_price", "device_price")
        return {key: limit for key, limit in self.limits(objective).items() if limit is not None or key not in later}

    def hours(self, state: ExperimentState, elapsed: float) -> float:
        """Return the hours for which trials have held devices, added up over devices."""
        return state.device_time.hours(state.running.values(), elapsed, self.devices_per_trial)

    def price(self, state: ExperimentState, elapsed: float) -> float | None:
        """Return the price of those hours; None without the price of a device."""
        return price_of(self.hours(state, elapsed), self.device_price)

    def spent(self, state: ExperimentState, elapsed: float) -> str | None:
        """Return why everything stops now, a used-up budget or a reached target; None if the experiment continues."""
        if self.max_wallclock_time is not None and elapsed >= self.max_wallclock_time:
            return f"max_wallclock_time={self.max_wallclock_time:g} s is over"
        if self.max_num_evaluations is not None and state.reports >= self.max_num_evaluations:
            return f"max_num_evaluations={self.max_num_evaluations} reports are in"
        if self.max_cost is not None and state.spending.total >= self.max_cost:
            return f"max_cost={self.max_cost:g} is spent: {state.objective.cost_attr} adds up to {state.spending.total:.6g}"
        if self.max_device_hours is not None and self.hours(state, elapsed) >= self.max_device_hours:
            return f"max_device_hours={self.max_device_hours:g} are used up"
        if self.max_price is not None and (self.price(state, elapsed) or 0.0) >= self.max_price:
            return f"max_price={self.max_price:g} is spent on {self.hours(state, elapsed):.4g} device hours"
        best = state.incumbent
        if self.target_value is not None and best is not None:
            metric, value = state.objective.metric, state.objective.value(best.loss)
            if state.objective.reaches(value, self.target_value):
                return f"target_value={self.target_value:g} is reached: {metric} {value:g}"
        return None

    def allows_new_trial(self, state: ExperimentState) -> bool:
        """Whether another trial may be started."""
        return self.max_num_trials is None or state.counted_trials < self.max_num_trials

    def time_left(self, state: ExperimentState, elapsed: float) -> float | None:
        """Return the seconds until time, device hours or money are used up; None if that cannot happen without an event."""
        left = [] if self.max_wallclock_time is None else [self.max_wallclock_time - elapsed]
        limits = [] if self.max_device_hours is None else [self.max_device_hours]
        if self.max_price is not None and self.device_price is not None:
            limits.append(self.max_price / self.device_price)
        if limits and (holding := sum(map(state.device_time.holds, state.running.values()))):
            hours = min(limits) - self.hours(state, elapsed)
            # A microsecond more, so that rounding never leaves a rest too small for the clock to move.
            left.append(3600 * hours / (self.devices_per_trial * holding) + 1e-6)
        return max(min(left), 0.0) if left else None


log = logging.getLogger(__name__)


@dataclass
class Failures:
    """The failures and losses of one session.

    Args:
        state: Current state of the experiment.
        limits: Limits, among them how many failures in a row are allowed.
    """

    state: ExperimentState
    limits: Limits
    _losses: int = 0
    _first_log: Path | None = None
    """Log of the first trial in the current row of failures without a report."""

    def on_report(self) -> None:
        """Note a report, which ends a row of losses."""
        self._losses = 0

    def on_loss(self, why: str | None) -> str | None:
        """Count an attempt lost or terminated from outside; return why the experiment cannot continue, or None if it can.

        Args:
            why: Reason for the loss; None if unknown.
        """
        self._losses += 1
        return self.limits.nothing_but_losses(self._losses, why)

    def on_failure(self, status: Status, event: Exit, error: str | None) -> str | None:
        """Warn of a trial that failed, once that is stored; return why the experiment cannot continue, or None if it can."""
        where, last = f"{event.where}: " if event.where else "", (error or "no message").splitlines()[-1]
        log.warning("trial %d %s: %s%s%s", event.trial_id, status, where, last, see(event.log))
        if self.state.silent_failures == 1:
            self._first_log = event.log
        if self.state.silent_failures < self.limits.max_failures:
            return None
        return self.limits.nothing_but_failures(self.state.first_error, self._first_log)
