"""Reports in a table or in JSON lines that a program appends to a file of its own. Standard library only.

The file is checked ten times a second: it may not exist yet, may be replaced, and may lie on a disk without notifications of
changes. A file that begins again, as a table does when a column is added, is read again from its beginning.
"""

import contextlib
import csv
import glob
import json
import os
from typing import Any

from hpo.host.number_format import value_of
from hpo.host.report_assembly import Gathering

_PORTION = 1 << 20
"""Bytes that are read at once; lines are not longer."""
_MOST_PORTIONS = 4
_COMPARED = 256
"""Number of bytes, at the beginning and before the reading position, by which a file is recognised."""
_MOST_BRACKETS = 100


class Appended:
    """Reader of the file of one attempt. What is in the file before the attempt begins belongs to an earlier attempt.

    Args:
        path: Path of the file; with `*`, the newest of several.
        metric: Name of the metric, by which a table's header is recognised anywhere.
        table: Whether the file is a table and not JSON lines.
        gathering: Collector that makes the reports.
    """

    descriptor = None
    stream = None
    """None, because none of the program's streams is redirected."""

    def __init__(self, *, path: str, metric: str, table: bool, gathering: Gathering) -> None:
        self._wanted = path
        self._metric = metric
        self._take = self._take_row if table else self._take_object
        self._gathering = gathering
        self._path = self._newest()
        self._seen: tuple[int, ...] = ()
        self._begin()
        if self._path is not None:
            with open(self._path, "rb") as file:  # noqa: PTH123
                if table:
                    self._take_row(file.readline(_PORTION))
                self._position = file.seek(0, os.SEEK_END)
                self._remember(file.fileno())
                self._skipping = not self._tail.endswith(b"\n") and self._position > 0

    def _begin(self) -> None:
        self._position = 0
        self._head = self._tail = b""
        self._skipping = False  # inside a line that is no row, or longer than any
        self._columns: list[str] = []
        self._delimiter = ","

    def _newest(self) -> str | None:
        paths = glob.glob(self._wanted) if glob.has_magic(self._wanted) else [self._wanted]  # noqa: PTH207
        there = [path for path in paths if os.path.isfile(path)]  # noqa: PTH113
        return max(there, key=os.path.getmtime, default=None)

    def look(self) -> bool:
        """Read some of what is new; return False if there is nothing more.

        Raises:
            OSError: The file cannot be read, or reports cannot be written.
        """
        try:
            path = self._newest()
            if path is None:
                return False
            with open(path, "rb") as file:  # noqa: PTH123
                return self._read(path, file.fileno())
        except FileNotFoundError:  # it has just been removed
            return False

    def _read(self, path: str, file: int) -> bool:
        stat = os.fstat(file)
        seen = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if path == self._path and seen == self._seen:
            return False
        if path != self._path or not self._goes_on(file, stat.st_size):
            if path == self._path:
                self._gathering.begin_again()
            self._path = path
            self._begin()
        for _ in range(_MOST_PORTIONS):
            data = os.pread(file, _PORTION, self._position)
            end = data.rfind(b"\n") + 1
            if not end and len(data) == _PORTION:
                self._skipping, end = True, len(data)
            elif not end:
                self._seen = seen
                break
            else:
                *lines, _ = data[:end].split(b"\n")
                for line in lines[self._skipping :]:
                    self._take(line)
                self._skipping = False
            self._position += end
        self._remember(file)
        return self._seen != seen

    def _goes_on(self, file: int, size: int) -> bool:
        return (
            size >= self._position
            and os.pread(file, len(self._head), 0) == self._head
            and os.pread(file, len(self._tail), self._position - len(self._tail)) == self._tail
        )

    def _remember(self, file: int) -> None:
        length = min(_COMPARED, self._position)
        self._head = os.pread(file, length, 0)
        self._tail = os.pread(file, length, self._position - length)

    def _take_row(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").strip("\ufeff\r\n")
        if not text.strip():
            return
        if not self._columns:
            self._delimiter = max(",;\t", key=text.count)
        cells: list[str] = []
        with contextlib.suppress(csv.Error):
            cells = [cell.strip() for cell in next(csv.reader([text], delimiter=self._delimiter))]
        if not self._columns or self._metric in cells:
            self._columns = cells
        else:
            self._gathering.take(
                {name: value_of(cell) for name, cell in zip(self._columns, cells, strict=False) if cell}
            )

    def _take_object(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            values = None if line.count(b"[") + line.count(b"{") > _MOST_BRACKETS else json.loads(line)
        except ValueError:
            values = None
        if isinstance(values, dict):
            self._gathering.take({name: value for name, value in values.items() if value is not None})
        else:
            self._gathering.pass_on(line)  # the tuner knows more spellings of numbers, and says what is no report

    def finish(self, *, by_itself: bool) -> dict[str, Any]:
        """Read the rest after the program has ended.

        Args:
            by_itself: Whether the program was not killed, so that its last line is complete even without a line feed.

        Returns:
            Counts of what was found.

        Raises:
            OSError: Reports cannot be written.
        """
        while self.look():
            pass
        if by_itself and self._path is not None and not self._skipping:
            with contextlib.suppress(FileNotFoundError), open(self._path, "rb") as file:  # noqa: PTH123
                if last := os.pread(file.fileno(), _PORTION, self._position):
                    self._take(last)
        return {**self._gathering.found, "columns": self._columns, "path": self._path}

    def close(self) -> None:
        """Close all files."""
        self._gathering.close()
