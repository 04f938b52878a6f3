"""The sleep of a backend: it waits for descriptors, and for a wake-up call that even a signal handler may make."""

import contextlib
import os
import select
from collections.abc import Sequence

from hpo.host.process_marks import LONGEST_WAIT


class Sleep:
    """An interruptible sleep that ends when a descriptor is readable, `ring` is called, or time has passed."""

    def __init__(self) -> None:
        self._bell, self._rope = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self.add(self._bell)

    def add(self, descriptor: int) -> None:
        """Wake up when the descriptor is readable."""
        self._poll.register(descriptor, select.POLLIN)

    def remove(self, descriptor: int) -> None:
        """Stop watching a descriptor."""
        self._poll.unregister(descriptor)

    def wait(self, timeout: float | None) -> Sequence[int]:
        """Sleep and return the readable descriptors; empty if only `ring` was called.

        Args:
            timeout: Seconds; None to sleep without limit.
        """
        ready = self._poll.poll(None if timeout is None else int(min(timeout, LONGEST_WAIT) * 1000) + 1)
        found = [descriptor for descriptor, _ in ready]
        if self._bell in found:
            found.remove(self._bell)
            with contextlib.suppress(BlockingIOError):
                os.read(self._bell, 4096)
        return found

    def ring(self) -> None:
        """End the present sleep, or the next one."""
        with contextlib.suppress(BlockingIOError):  # full: a wake-up call is already pending
            os.write(self._rope, b"!")

    def close(self) -> None:
        """Release the descriptors of the sleep."""
        os.close(self._bell)
        os.close(self._rope)
