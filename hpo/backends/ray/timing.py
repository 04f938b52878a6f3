"""The time of an experiment that has no place to be at work."""

import time
from collections.abc import Callable


class StandingClock:
    """Monotonic seconds that stand still until it is let go, and whenever it is stopped.

    Args:
        now: monotonic seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._stood = 0.0
        self._since: float | None = now()

    def __call__(self) -> float:
        """Seconds."""
        now = self._now()
        return now - self._stood - (0.0 if self._since is None else now - self._since)

    def go(self, goes: bool) -> None:
        """Let it go, or stop it."""
        if goes and self._since is not None:
            self._stood += self._now() - self._since
            self._since = None
        elif not goes and self._since is None:
            self._since = self._now()
