"""What a backend sleeps on: descriptors, and a bell that anybody may ring, also a signal handler."""

import contextlib
import os
import select
from collections.abc import Sequence

from hpo.host.process_marks import LONGEST_WAIT


class Sleep:
    """Ends by what comes over one of the descriptors, by the bell, or after a while."""

    def __init__(self) -> None:
        self._bell, self._rope = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self.add(self._bell)

    def add(self, descriptor: int) -> None:
        """Wake up when there is something to read."""
        self._poll.register(descriptor, select.POLLIN)

    def remove(self, descriptor: int) -> None:
        """Do so no more."""
        self._poll.unregister(descriptor)

    def wait(self, timeout: float | None) -> Sequence[int]:
        """Sleep. Returns the descriptors with something to read; none where only the bell has rung.

        Args:
            timeout: seconds; None is for ever.
        """
        ready = self._poll.poll(None if timeout is None else int(min(timeout, LONGEST_WAIT) * 1000) + 1)
        found = [descriptor for descriptor, _ in ready]
        if self._bell in found:
            found.remove(self._bell)
            with contextlib.suppress(BlockingIOError):
                os.read(self._bell, 4096)
        return found

    def ring(self) -> None:
        """End the sleep, or the next one."""
        with contextlib.suppress(BlockingIOError):  # full: it rings already
            os.write(self._rope, b"!")

    def close(self) -> None:
        """There is no sleep any more."""
        os.close(self._bell)
        os.close(self._rope)
