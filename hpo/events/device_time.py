"""The time for which trials hold devices: what is paid for, and what `max_device_hours` limits."""

from collections.abc import Iterable
from dataclasses import dataclass

from hpo.events.trial_state import TrialState


@dataclass(slots=True)
class DeviceTime:
    """The seconds for which trials hold their devices; an attempt that waits for a machine holds none."""

    ended: float = 0.0
    """Seconds of all attempts that have ended."""
    names_machines: bool = False
    """Whether the backend of this session has named a machine, so that attempts without one wait for it."""

    def place(self, trial: TrialState, elapsed: float) -> None:
        """Note that the current attempt of a trial has got its machine."""
        trial.placed, self.names_machines = elapsed, True

    def end(self, trial: TrialState, elapsed: float) -> None:
        """Add the seconds of an attempt that has ended."""
        held = self.held(trial, elapsed)
        trial.on_devices += held
        self.ended += held

    def holds(self, trial: TrialState) -> bool:
        """Whether a running trial has its devices."""
        return trial.placed is not None or not self.names_machines

    def held(self, trial: TrialState, elapsed: float) -> float:
        """Return the seconds for which the current attempt of a running trial has held its devices."""
        since = trial.began if trial.placed is None else trial.placed
        return max(elapsed - since, 0.0) if self.holds(trial) else 0.0

    def seconds(self, running: Iterable[TrialState], elapsed: float) -> float:
        """Return the seconds of all attempts, those of the running trials up to `elapsed`."""
        return self.ended + sum(self.held(trial, elapsed) for trial in running)

    def hours(self, running: Iterable[TrialState], elapsed: float, devices_per_trial: int) -> float:
        """Return the hours of all attempts, added up over the devices of each."""
        return self.seconds(running, elapsed) * devices_per_trial / 3600


def price_of(hours: float, device_price: float | None) -> float | None:
    """Return the price of device hours; None without the price of a device for an hour."""
    return None if device_price is None else hours * device_price


def device_use_text(hours: float, device_price: float | None) -> str:
    """Return device hours, and what they cost if a device has a price, in words."""
    price = price_of(hours, device_price)
    return f"{hours:,.3g} device hours" + ("" if price is None else f" for {price:,.2f}")
