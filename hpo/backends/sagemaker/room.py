"""How many jobs the account may have, as far as refusals tell, and a clock that stands still while there is room for none."""

import time


class Room:
    """Room for the jobs of one backend."""

    def __init__(self) -> None:
        self._full_until: float | None = None
        self._stalled_since: float | None = None
        self._stood = 0.0
        self._attempts = 0
        self._with_job = 0

    @property
    def found_full(self) -> bool:
        """Was a job ever refused?"""
        return self._full_until is not None

    def is_full(self, seconds: float) -> None:
        """A job was refused, and it makes sense to ask for more of them only after so many seconds."""
        self._full_until = time.monotonic() + seconds

    def see(self, attempts: int, with_job: int) -> None:
        """So many attempts there are now, and so many of them have their job."""
        self._attempts, self._with_job = attempts, with_job
        stalled = self.waiting and with_job == 0
        if stalled and self._stalled_since is None:
            self._stalled_since = time.monotonic()
        elif not stalled and self._stalled_since is not None:
            self._stood += time.monotonic() - self._stalled_since
            self._stalled_since = None

    @property
    def waiting(self) -> bool:
        """Are there attempts that wait for room?"""
        return self._full_until is not None and self._with_job < self._attempts

    @property
    def capacity(self) -> int | None:
        """How many attempts there may be, those that wait for room among them; 0 where none has a job, None without limit."""
        if self._full_until is None or self._attempts == 0 or not (self.waiting or time.monotonic() < self._full_until):
            return None
        return self._attempts if self._with_job else 0

    def clock(self) -> float:
        """Monotonic seconds in which there was room for a job."""
        now = time.monotonic() if self._stalled_since is None else self._stalled_since
        return now - self._stood
