"""The tuner's connection to a trial host: the process, and a socket that carries orders and exits as lines of JSON."""

import contextlib
import logging
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo.backends.json_lines import JsonLines
from hpo.events.text import printable
from hpo.host import process_marks
from hpo.host.host_start import start_host

log = logging.getLogger(__name__)


class HostConnection(JsonLines):
    """A connection to a trial host, which it starts.

    Args:
        mark: Mark that the host's processes carry.
        grace: Seconds between SIGTERM and SIGKILL of trials that still run when the host ends.
        preload: Modules that the host imports before the first trial.
        log_file: File that gets the host's standard error.
        environment: Environment of the host.

    Raises:
        BackendError: The host cannot be started.
    """

    def __init__(
        self, *, mark: int, grace: float, preload: Sequence[str], log_file: Path, environment: Mapping[str, str]
    ) -> None:
        super().__init__()
        self._mark = mark
        self._log_file = log_file
        with log_file.open("ab") as errors, self.theirs:
            self.process = start_host(
                mark, grace, preload, connection=self.theirs, log_file=errors.fileno(), environment=environment
            )

    def receive(self) -> list[dict[str, Any]] | None:
        """Return the host's messages, except those for the log, which are logged; None when the host has ended."""
        messages = super().receive()
        if messages is not None:
            for message in messages:
                if "preloaded" in message:
                    _say(message["preloaded"], message["left_out"])
            return [message for message in messages if "preloaded" not in message]
        self.process.wait()
        code = self.process.returncode
        log.warning("the trial host died (exit code %s); see %s", "unknown" if code is None else code, self._log_file)
        return None

    def end(self, limit: float) -> None:
        """Let the host end what still runs and wait up to `limit` seconds for it; then kill everything."""
        self.close()
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            log.warning("the trial host did not end within %.0f s; killing it", limit)
            process_marks.sweep(self._mark, grace=0.0)
            self.process.wait()
        with contextlib.suppress(OSError):
            if self._log_file.stat().st_size == 0:
                self._log_file.unlink()


def _say(preloaded: Sequence[str], left_out: Mapping[str, str]) -> None:
    """Log the outcome of `preload=auto` in one line."""
    line = f"preload=auto: {', '.join(preloaded) or 'nothing'} imported once for all trials"
    if left_out:
        line += "; left out: " + ", ".join(f"{module} ({why})" for module, why in left_out.items())
    log.info("%s", printable(line), extra={"terminal": True})
