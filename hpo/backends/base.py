"""What every backend is: it runs attempts of trials and tells what happens to them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from hpo.events.values import BackendEvent, Trial


class Backend(ABC):
    """Runs trials. `wait` is the only call that blocks; what it returns is in the order it happened per trial."""

    @property
    def capacity(self) -> int | None:
        """How many trials can run at once, by devices; None: as many as there are workers."""
        return None

    @abstractmethod
    def start(self, trial: Trial, attempt: int, until: int | None) -> None:
        """Run an attempt of `trial` up to resource `until`; attempts after the first go on from the checkpoint.

        Raises:
            BackendError: it cannot run anything.
        """

    @abstractmethod
    def stop(self, trial_id: int, patience: float = 0.0) -> None:
        """End the running attempt: after `patience` seconds, if it has not ended by itself, SIGTERM, grace, SIGKILL.

        An Exit follows in any case.
        """

    @abstractmethod
    def wait(self, timeout: float | None) -> Sequence[BackendEvent]:
        """Block until something happens, at most `timeout` seconds; may return early with nothing.

        Raises:
            BackendError: it cannot go on.
        """

    @abstractmethod
    def wake(self) -> None:
        """Make `wait` return now. May be called from a signal handler."""

    def holds(self, trial_id: int) -> bool:
        """Does a started attempt still wait for a device?"""
        return False

    def left_over(self, trial_id: int, attempt: int, position: int) -> Sequence[BackendEvent]:
        """What an attempt of an earlier session reported after byte `position` of its channel."""
        return ()

    def forget_checkpoint(self, trial_id: int) -> None:  # noqa: B027
        """No decision can need the trial's checkpoint any more."""

    def kill(self) -> None:  # noqa: B027
        """End all running attempts at once, without grace."""

    def close(self) -> None:  # noqa: B027
        """Release everything; running attempts are ended."""
