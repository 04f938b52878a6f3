"""The tuner's side of a driver: the process that talks with Ray."""

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

log = logging.getLogger(__name__)


class DriverConnection(JsonLines):
    """A driver that has been started.

    Args:
        opening: the first message to it.
        log_file: gets what Ray says in it.
        environment: of the driver.
        command: what starts it; the descriptor of its end follows.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self,
        opening: Mapping[str, Any],
        log_file: Path,
        *,
        environment: Mapping[str, str],
        command: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self._log_file = log_file
        command = command or (*START, "hpo.backends.ray.driver")
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
        self.send(opening)

    def last_words(self, limit: float) -> Iterator[dict[str, Any]]:
        """Have it end all slots in order, and hear up to `limit` seconds what they have to tell meanwhile."""
        poll, deadline = select.poll(), time.monotonic() + limit
        poll.register(self.descriptor, select.POLLIN)
        self.send({"do": "close"})
        while self.alive and poll.poll(max(deadline - time.monotonic(), 0.0) * 1000):
            yield from self.receive() or ()

    def end(self, limit: float) -> None:
        """Have it end all slots in order and wait up to `limit` seconds for it; then Ray ends what is left without it."""
        if self.alive:
            self.send({"do": "close"})
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
