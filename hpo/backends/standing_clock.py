"""A clock that pauses while no slot is available."""

import time
from collections.abc import Callable


class StandingClock:
    """A clock of monotonic seconds that does not run until it is started, nor while it is stopped.

    Args:
        now: Returns monotonic seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._stood = 0.0
        self._since: float | None = now()

    def __call__(self) -> float:
        """Return the seconds that the clock has run."""
        now = self._now()
        return now - self._stood - (0.0 if self._since is None else now - self._since)

    def go(self, goes: bool) -> None:
        """Start the clock, or stop it."""
        if goes and self._since is not None:
            self._stood += self._now() - self._since
            self._since = None
        elif not goes and self._since is None:
            self._since = self._now()
