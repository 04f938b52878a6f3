"""Logs that cannot fill the disk: of a file that grows beyond its limit the middle is given back, while it is written to.

A program writes its logs itself and notices nothing: blocks in the middle of the file are freed where they are (a hole),
which neither moves what follows nor stops the writer. Once the program is gone the hole is closed. Standard library only.
"""

import contextlib
import ctypes
import errno
import os
import sys
from collections.abc import Iterator

INTERVAL = 1.0
"""Seconds between two looks at the sizes."""

_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_CHUNK = 1 << 20
_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """A log that cannot be kept small is no reason to end its trial; host.log says so."""
    try:
        yield
    except FileNotFoundError:
        pass  # the program has removed it
    except OSError as error:
        sys.stderr.write(f"a log could not be kept small: {error}\n")


class LogCap:
    """Keeps the head and the tail of an attempt's logs.

    Args:
        paths: of the logs.
        limit: bytes that each may take on the disk.
    """

    def __init__(self, paths: list[str], limit: int) -> None:
        self._paths = paths
        self._limit = limit
        self._head = limit // 4
        self._ends: dict[str, int] = {}  # path -> where its hole ends
        self._shortened: dict[str, int] = {}  # path -> bytes cut off where the file system knows no holes

    def cut_excess(self) -> None:
        """Free what is too much."""
        for path in self._paths:
            with _told():
                size = os.stat(path).st_size  # noqa: PTH116  the host has no need of pathlib
                kept = self._head + size - self._ends.get(path, self._head)
                if kept > self._limit:
                    self._cut(path, size)

    def close(self) -> None:
        """The program is gone: what is left of its logs moves together."""
        self.cut_excess()
        for path, end in self._ends.items():
            with _told(), open(path, "r+b") as file:  # noqa: PTH123
                note = self._note(end - self._head)
                file.seek(self._head)
                file.write(note)
                target = self._head + len(note)
                while True:
                    file.seek(end)
                    data = file.read(_CHUNK)
                    if not data:
                        break
                    file.seek(target)
                    file.write(data)
                    end, target = end + len(data), target + len(data)
                file.truncate(target)
        self._ends.clear()

    def _cut(self, path: str, size: int) -> None:
        end = size - self._limit // 4
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if _libc.fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, self._head, end - self._head) == 0:
                self._ends[path] = end
                os.pwrite(descriptor, self._note(end - self._head), self._head)
            elif ctypes.get_errno() in (errno.EOPNOTSUPP, errno.ENOSYS):
                self._shorten(path, descriptor, size)
            else:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
        finally:
            os.close(descriptor)

    def _shorten(self, path: str, descriptor: int, size: int) -> None:
        """Without holes: cut off all that follows the head. The writer appends, so it goes on behind the note."""
        self._shortened[path] = self._shortened.get(path, 0) + size - self._head
        os.ftruncate(descriptor, self._head)
        os.pwrite(descriptor, self._note(self._shortened[path]), self._head)

    def _note(self, count: int) -> bytes:
        megabytes = f"{self._limit / 1e6:g}"
        return f"\n[hpo: {count:,} bytes were cut here, for max_log_megabytes={megabytes}]\n".encode()
