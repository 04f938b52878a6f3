"""The checks of commands: why a command cannot be carried out, in one sentence each. Nothing is changed here."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hpo.events.state import ExperimentState
from hpo.events.steering import Command, CommandName
from hpo.events.text import limit_text
from hpo.events.types import Decision, Status
from hpo.tuner.stopping import Budget

_OVER = frozenset({Status.COMPLETED, Status.STOPPED, Status.FAILED, Status.TIMEOUT})

MOST = 1e15
"""Largest absolute value of a limit, in any unit."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The facts about an experiment by which a command is judged.

    Attributes:
        state: State of the experiment.
        budget: Budget in force.
        elapsed: Seconds of the experiment.
        closing: Whether all trials are being ended.
        condemned: Trials that are being ended because something is wrong with them.
        opened: An id that sorts after those of commands to earlier sessions.
    """

    state: ExperimentState
    budget: Budget
    elapsed: float
    closing: bool = False
    condemned: Collection[int] = ()
    opened: str = ""

    @property
    def limits(self) -> dict[str, Any]:
        """The limits of the budget by their keys."""
        return self.budget.limits(self.state.objective)


def refusal(command: Command, moment: Moment) -> str | None:
    """Return why hpo rejects a command; None if it accepts it."""
    check = _CHECKS.get(command.verb)
    if check is None:
        return f"{command.verb[:40]!r} is not a command: use {', '.join(CommandName)}"
    expected = {CommandName.STOP: {"trial"}, CommandName.BUDGET: set(moment.limits)}.get(
        CommandName(command.verb), set()
    )
    if unknown := [name for name in command.arguments if name not in expected]:
        return f"{command.verb} takes {' or '.join(sorted(expected)) or 'no arguments'}, not {unknown[0][:40]!r}"
    return check(command.arguments, command, moment)


def _stop(arguments: Mapping[str, Any], _: Command, moment: Moment) -> str | None:
    trial_id, trials = arguments.get("trial"), moment.state.trials
    if isinstance(trial_id, bool) or not isinstance(trial_id, int):
        return f"trial={repr(trial_id)[:40]} is not the number of a trial"
    if trial_id not in trials:
        there = f"there are 0 to {len(trials) - 1}" if trials else "none has started"
        return f"there is no trial {str(trial_id)[:40]}: {there}"
    state = trials[trial_id]
    if state.stopped_by is not None:
        return f"trial {trial_id} was stopped already, by command {state.stopped_by}"
    if state.status in _OVER:
        return f"trial {trial_id} has ended: it is {state.status}"
    if state.ending == Decision.STOP or trial_id in moment.condemned:
        return f"trial {trial_id} is being ended already"
    return None


def _hold(_arguments: Mapping[str, Any], _: Command, moment: Moment) -> str | None:
    if (by := moment.state.steering.held) is not None:
        return f"it is held already, by {by}; go-on ends that"
    return "it is coming to its end already" if moment.closing else None


def _go_on(_arguments: Mapping[str, Any], _: Command, moment: Moment) -> str | None:
    return "it is not held" if moment.state.steering.held is None else None


def _end(_arguments: Mapping[str, Any], _: Command, moment: Moment) -> str | None:
    return "it is coming to its end already" if moment.closing else None


def _interrupt(_arguments: Mapping[str, Any], command: Command, moment: Moment) -> str | None:
    if command.id < moment.opened:
        return "the session that it was meant for has ended"
    return _end({}, command, moment)


def _budget(arguments: Mapping[str, Any], _: Command, moment: Moment) -> str | None:
    if not arguments:
        return f"name a limit: {', '.join(f'{key}=…' for key in moment.limits)}"
    if moment.closing:
        return "it is coming to its end already; give the new budget to the command that started it"
    for key, value in arguments.items():
        if (why := _limit(key, value, moment)) is not None:
            return why
    if (why := _price_refusal(replace(moment.budget, **arguments), moment)) is not None:
        return why
    if all(moment.limits[key] == value for key, value in arguments.items()):
        return f"{', '.join(f'{key}={limit_text(value)}' for key, value in arguments.items())} is the budget already"
    return None


def _price_refusal(budget: Budget, moment: Moment) -> str | None:
    """Return why the price limits of a budget cannot be set; None if they can."""
    if budget.max_price is None:
        return None
    if budget.device_price is None:
        return f"max_price={budget.max_price:g} needs device_price, the price of a device for an hour"
    spent = budget.price(moment.state, moment.elapsed)
    if spent is not None and spent >= budget.max_price:
        return (
            f"max_price={budget.max_price:g}: {spent:.4g} are spent, {budget.device_price:g} per device hour; use more"
        )
    return None


def _limit(key: str, value: Any, moment: Moment) -> str | None:
    """Return why a limit cannot be set; None if it can."""
    if value is None:
        return None
    said = f"{key}={str(value)[:40]}"
    if isinstance(value, bool) or not isinstance(value, int | float) or not -MOST <= value <= MOST:
        return f"{said}: use a number, or null for no limit"
    if key != "target_value" and value <= 0:
        return f"{said}: use a positive number, or null for no limit"
    if key in ("max_num_trials", "max_num_evaluations") and not isinstance(value, int):
        return f"{said}: use a whole number"
    state = moment.state
    if key == "max_num_trials" and value < state.counted_trials:
        return f"{said}: {state.counted_trials} trials have been started; use at least that, or end"
    if key == "max_num_evaluations" and value <= state.reports:
        return f"{said}: {state.reports} reports are in; use more, or end"
    if key == "max_cost" and value <= state.spending.total:
        return f"{said}: {state.spending.total:.6g} are spent; use more, or end"
    if key == "max_wallclock_time" and value <= moment.elapsed:
        return f"{said}: {moment.elapsed:.0f} s are over; use more, or end"
    if key == "max_device_hours" and value <= (used := moment.budget.hours(state, moment.elapsed)):
        return f"{said}: {used:.4g} device hours are used; use more, or end"
    best = state.incumbent
    if key == "target_value" and best is not None:
        reached = state.objective.value(best.loss)
        if state.objective.reaches(reached, float(value)):
            return f"{said}: {state.objective.metric} {reached:g} is there already; use a better one, or end"
    return None


_CHECKS: Mapping[str, Callable[[Mapping[str, Any], Command, Moment], str | None]] = {
    CommandName.STOP: _stop,
    CommandName.HOLD: _hold,
    CommandName.GO_ON: _go_on,
    CommandName.BUDGET: _budget,
    CommandName.END: _end,
    CommandName.INTERRUPT: _interrupt,
}
