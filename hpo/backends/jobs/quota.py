"""The number of jobs that the platform runs at once, learned from rejections, and a clock that stops while it runs none."""

import time

from hpo.backends.standing_clock import StandingClock


class Quota:
    """The number of jobs that a backend may have, as far as it is known."""

    def __init__(self) -> None:
        self._full_until: float | None = None
        self.clock = StandingClock()
        """Clock of the monotonic seconds in which at least one attempt could run."""
        self.clock.go(True)
        self._attempts = 0
        self._with_job = 0
        self._queued = 0

    @property
    def found_full(self) -> bool:
        """Whether a job was ever rejected."""
        return self._full_until is not None

    def note_refusal(self, seconds: float) -> None:
        """Record that a job was rejected, and that further requests make sense only after some seconds."""
        self._full_until = time.monotonic() + seconds

    def update(self, *, attempts: int, with_job: int, queued: int) -> None:
        """Record the number of attempts, of those whose job has begun, and of those whose job waits in a queue."""
        self._attempts, self._with_job, self._queued = attempts, with_job, queued
        self.clock.go(with_job > 0 or not self.waiting)

    @property
    def waiting(self) -> bool:
        """Whether attempts wait for room."""
        return self._queued > 0 or (self._full_until is not None and self._with_job < self._attempts)

    @property
    def capacity(self) -> int | None:
        """The number of attempts that make sense, waiting ones included; 0 if none has a job, None without limit."""
        if self._full_until is None or self._attempts == 0 or not (self.waiting or time.monotonic() < self._full_until):
            return None
        return self._attempts if self._with_job else 0
