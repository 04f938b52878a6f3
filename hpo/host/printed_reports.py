"""Reports in what a program prints: one of its streams passes through here into its log, byte by byte.

Each line is searched for each pattern. Lines end with a line feed, a carriage return or a backspace, as progress bars have
them; colour codes are ignored. Standard library only.
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Mapping
from typing import Any

from hpo.host.number_format import value_of
from hpo.host.report_assembly import Gathering

LONGEST_LINE = 1 << 13
"""Number of bytes at the end of a line that are searched; a pattern such as `.*loss` takes quadratic time."""

_PORTION = 1 << 16
_ROOM = 1 << 20
"""Number of bytes that the program may be ahead of its reader."""
_ENDS = bytes.maketrans(b"\r\b", b"\n\n")
_CONTROL = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(\x07|\x1b\\)|[ -/]*[0-~])")


class Printed:
    """Reader of the standard output, or standard error, of one attempt.

    Args:
        log: Path of the file that the output goes to.
        patterns: Regular expression for each name; its first group is the value.
        gathering: Collector that makes the reports.
    """

    def __init__(self, *, log: str, patterns: Mapping[str, str], gathering: Gathering) -> None:
        self._gathering = gathering
        self._searches = [(name, re.compile(pattern).search) for name, pattern in patterns.items()]
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self.descriptor, self._writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        with contextlib.suppress(OSError):  # a user's pipes may have no more room together
            fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, _ROOM)
        self._rest = bytearray()
        self._together = 0

    @property
    def stream(self) -> str:
        """The path that the attempt opens in place of its log."""
        return f"/proc/{os.getpid()}/fd/{self._writing}"

    def look(self) -> bool:
        """Read some of what has come; return False if there is nothing.

        Raises:
            OSError: The log or the reports cannot be written.
        """
        try:
            data = os.read(self.descriptor, _PORTION)
        except BlockingIOError:
            return False
        self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        left = data
        while left:
            left = left[os.write(self._log, left) :]
        head, end, rest = data.translate(_ENDS).rpartition(b"\n")
        if end:
            before = self._gathering.reports
            self._search(bytes(self._rest + head))
            self._together = max(self._together, self._gathering.reports - before)
            self._rest.clear()
        self._rest += rest
        del self._rest[:-LONGEST_LINE]

    def _search(self, data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        if "\x1b" in text:
            text = _CONTROL.sub("", text)
        for line in text.split("\n"):
            found = {}
            for name, search in self._searches:
                if match := search(line[-LONGEST_LINE:]):
                    group = next((group for group in match.groups() if group is not None), None)
                    if group is not None:
                        found[name] = value_of(group)
            if found:
                self._gathering.take(found)

    def finish(self, *, by_itself: bool) -> dict[str, Any]:
        """Read the rest after the program has ended.

        Args:
            by_itself: Whether the program was not killed, so that its last line is complete even without a line feed.

        Returns:
            Counts of what was found.

        Raises:
            OSError: The log or the reports cannot be written.
        """
        for _ in range(2 * _ROOM // _PORTION):
            if not self.look():
                break
        if by_itself and self._rest:
            self._search(bytes(self._rest))
        return {**self._gathering.found, "together": self._together}

    def close(self) -> None:
        """Close all files."""
        self._gathering.close()
        for descriptor in (self.descriptor, self._writing, self._log):
            os.close(descriptor)
