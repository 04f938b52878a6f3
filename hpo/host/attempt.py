"""One attempt under the trial host: how it ends, from the first order until nothing of it is left. Standard library only."""

import os
import signal
import time
from typing import Any

from hpo.host.logcap import LogCap
from hpo.host.marks import get_mark, marked, send

_LEFTOVER_GRACE = 2.0
"""Seconds for processes that outlive their trial's main process."""


class Attempt:
    """One started attempt.

    Args:
        key: the tuner's name for it.
        pid: of its main process.
        mark: that all its processes have.
        logs: those that are kept small.
    """

    def __init__(self, key: int, pid: int, mark: int, logs: LogCap | None = None) -> None:
        self.key = key
        self.pid = pid
        self.mark = mark
        self.logs = logs
        self.outcome: dict[str, Any] | None = None  # set once the main process has been reaped
        self.term_at: float | None = None
        self.kill_at: float | None = None  # set once SIGTERM has been sent
        self.grace = 0.0

    def stop(self, patience: float, grace: float) -> None:
        """Send SIGTERM in `patience` seconds, and SIGKILL `grace` seconds later. Another order can only hasten that."""
        term_at = time.monotonic() + patience
        if self.kill_at is not None:
            self.kill_at = min(self.kill_at, term_at + grace)
        elif self.term_at is not None:
            self.term_at, self.grace = min(self.term_at, term_at), min(self.grace, grace)
        else:
            self.term_at, self.grace = term_at, grace

    def enforce(self, now: float, grace: float) -> None:
        """Send what is due. Processes that outlive the main one have `grace` seconds, but not more than two."""
        if self.outcome is not None and self.term_at is None and self.kill_at is None:
            self.term_at, self.grace = now, min(_LEFTOVER_GRACE, grace)
        if self.term_at is not None and now >= self.term_at:
            # The trial first: finding its descendants takes longer than telling it.
            known = [self.pid] if self.outcome is None else []
            send(known, signal.SIGTERM)
            send([pid for pid in marked(self.mark) if pid not in known], signal.SIGTERM)
            self.term_at, self.kill_at = None, now + self.grace
        if self.kill_at is not None and now >= self.kill_at:
            send(marked(self.mark), signal.SIGKILL)
            self.kill_at = now + 0.1  # again until nothing is left: one may have forked meanwhile

    def left_behind(self) -> bool:
        """Does a process of this attempt still exist? Its topmost ones are children of the host, their subreaper."""
        me = os.getpid()
        try:
            with open(f"/proc/self/task/{me}/children", "rb") as file:  # noqa: PTH123
                children = file.read().split()
        except OSError:  # a kernel without this file
            return bool(marked(self.mark))
        return any(get_mark(int(pid)) == self.mark for pid in children)
