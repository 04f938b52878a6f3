"""One attempt under the trial host: how it ends, from the first order until nothing of it is left. Standard library only."""

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from hpo.host.log_limit import LogCap
from hpo.host.process_marks import get_mark, marked, send

if TYPE_CHECKING:  # few hosts have need of it
    from hpo.host.report_source import Reader

_LEFTOVER_GRACE = 2.0
"""Seconds for processes that outlive their trial's main process."""

READ_INTERVAL = 0.1
"""Seconds between two looks at a file that a program appends to."""


class Attempt:
    """One started attempt.

    Args:
        key: the tuner's name for it.
        pid: of its main process.
        mark: that all its processes have.
        logs: those that are kept small.
        reader: of what a program says that knows nothing of reports.
        grace: seconds between SIGTERM and SIGKILL where it cannot be read.
    """

    def __init__(
        self,
        key: int,
        pid: int,
        mark: int,
        logs: LogCap | None = None,
        reader: "Reader | None" = None,
        grace: float = 0.0,
    ) -> None:
        self.key = key
        self.pid = pid
        self.mark = mark
        self.logs = logs
        self.reader = reader
        self.outcome: dict[str, Any] | None = None  # set once the main process has been reaped
        self.term_at: float | None = None
        self.kill_at: float | None = None  # set once SIGTERM has been sent
        self.grace = 0.0
        self._grace = grace
        self._unread: str | None = None

    @property
    def appending(self) -> bool:
        """Is there a file to look at now and then?"""
        return self.reader is not None and self.reader.descriptor is None

    def read(self) -> bool:
        """Let the reader look at what there is; False where that is over.

        An attempt whose reports cannot be kept is ended: the disk is full, and it would end of that by itself.
        """
        if self.reader is not None and self._unread is None:
            try:
                self.reader.look()
            except OSError as error:
                self._unreadable(error)
                self.stop(0.0, self._grace)
        return self._unread is None

    def finish(self) -> None:
        """All its processes are gone: what is left to read, and logs as they stay."""
        assert self.outcome is not None
        if self.reader is not None:
            try:
                self.outcome["found"] = self.reader.finish(by_itself=self.outcome["signal"] is None)
            except OSError as error:
                self._unreadable(error)
            self.reader.close()
        if self.logs:
            self.logs.close()
        if self._unread is not None:
            self.outcome |= {"code": self.outcome["code"] or os.EX_IOERR, "signal": None, "error": self._unread}

    def _unreadable(self, error: OSError) -> None:
        self._unread = self._unread or f"its reports could not be read or kept: {error}"
        sys.stderr.write(f"attempt {self.key}: {self._unread}\n")

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
