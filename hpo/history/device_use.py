"""The device hours of an experiment, and what they cost, as watch, status and the report show them."""

from hpo.config.schema import ExperimentConfig
from hpo.events.device_time import device_use_text
from hpo.events.state import ExperimentState


def device_hours(config: ExperimentConfig, state: ExperimentState, elapsed: float | None = None) -> float:
    """Return the hours for which trials have held devices, added up over devices.

    Args:
        config: Configuration of the experiment.
        state: State of the experiment.
        elapsed: Seconds of the experiment; None for the time of its last event.
    """
    until = state.elapsed if elapsed is None else elapsed
    return state.device_time.hours(state.running.values(), until, config.devices_per_trial)


def limits_devices(config: ExperimentConfig) -> bool:
    """Whether an experiment limits device hours, or knows the price of a device."""
    return config.max_device_hours is not None or config.device_price is not None


def limited_use_text(config: ExperimentConfig, state: ExperimentState, elapsed: float | None = None) -> str:
    """Return device hours and price in words; empty unless the experiment limits device hours or knows a device's price."""
    if not limits_devices(config):
        return ""
    return device_use_text(device_hours(config, state, elapsed), config.device_price)
