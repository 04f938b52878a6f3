"""Consequences of each command in numbers, which a person reads before giving it."""

from collections.abc import Mapping
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.events.state import ExperimentState
from hpo.events.steering import CommandName
from hpo.events.text import limit_text
from hpo.events.types import Status


def consequences(config: ExperimentConfig, state: ExperimentState) -> dict[str, str]:
    """Return a sentence about the consequences of each command; the one about `stop` holds for any trial.

    Args:
        config: Configuration of the experiment, with the current budget.
        state: Current state of the experiment.
    """
    running, paused = len(state.running), state.counts().get(Status.PAUSED, 0)
    done = len(state.trials) - running - paused
    many = f"{running} running trial{'s' * (running != 1)}"
    grace = f"up to {config.grace_period_seconds:g} s to save and end"
    of = f" of {config.max_num_trials}" if config.max_num_trials is not None else ""
    where = f"{done}{of} trials are done, {paused} paused."
    steered = "The experiment is then marked as steered, and left out of comparisons."
    return {
        CommandName.STOP: f"The trial gets {grace}; no further result of it counts, and it does not go on. {steered}",
        CommandName.HOLD: f"{many} go on; nothing new starts until you let it go on, while its time goes on. {steered}",
        CommandName.GO_ON: f"{where} Free workers get something to do again.",
        CommandName.BUDGET: f"{where} The limits are now {_limits(config.budget)}.",
        CommandName.END: f"Ends {many}, with {grace} each. {where} The same command skips the experiment afterwards.",
        CommandName.INTERRUPT: f"Ends this session: {many} get {grace}. {where} The same command resumes it.",
    }


def _limits(budget: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={limit_text(value)}" for key, value in budget.items() if value is not None) or "none"
