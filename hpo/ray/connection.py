"""The tuner's connection to a driver, the process that talks with Ray."""

import contextlib
import logging
import select
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hpo.backends.json_lines import JsonLines
from hpo.host.host_start import START
from hpo.ray.messages import CloseSession, OpenSession, Order, from_json, to_json

log = logging.getLogger(__name__)


class DriverConnection(JsonLines):
    """A connection to a driver, which it starts.

    Args:
        opening: First order to the driver.
        log_file: File that gets the output of Ray in the driver.
        environment: Environment of the driver.
        command: Command that starts it; the descriptor of its socket is appended.

    Raises:
        OSError: The driver cannot be started.
    """

    def __init__(
        self,
        opening: OpenSession,
        log_file: Path,
        *,
        environment: Mapping[str, str],
        command: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self._log_file = log_file
        command = command or (*START, "hpo.ray.driver")
        with log_file.open("ab") as said, self.theirs:
            self.process = subprocess.Popen(
                [*command, str(self.theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=[self.theirs.fileno()],
                env=environment,
                start_new_session=True,
            )
        self.order(opening)

    def order(self, order: Order) -> None:
        """Send an order. If the driver has ended, only `news` reports it."""
        self.send(to_json(order))

    def news(self) -> list[Any] | None:
        """Return the news that have arrived, possibly none yet; None when the driver has ended."""
        received = self.receive()
        return None if received is None else [from_json(content) for content in received]

    def last_words(self, limit: float) -> Iterator[Any]:
        """Let the driver end all slots in order, and yield its news meanwhile, for up to `limit` seconds."""
        poll, deadline = select.poll(), time.monotonic() + limit
        poll.register(self.descriptor, select.POLLIN)
        self.order(CloseSession())
        while self.alive and poll.poll(max(deadline - time.monotonic(), 0.0) * 1000):
            yield from self.news() or ()

    def end(self, limit: float) -> None:
        """Let the driver end all slots in order and wait up to `limit` seconds; after that Ray ends what is left."""
        if self.alive:
            self.order(CloseSession())
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            log.warning("the process that talks with Ray did not end within %.0f s; killing it", limit)
            self.process.kill()
            self.process.wait()
        self.close()
        with contextlib.suppress(OSError):
            if self._log_file.stat().st_size == 0:
                self._log_file.unlink()
