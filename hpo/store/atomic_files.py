"""Files that a reader sees as they were or as they shall be, whole, whatever kills the writer; what it leaves is removed."""

import contextlib
import fcntl
import os
import re
import secrets
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from hpo.store.machine import machine

FORGOTTEN = 3600.0
"""Seconds: what another machine has not written to for so long, nobody writes any more."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file beside `path` to write to, which then takes its place; after an error there is only what was there before.

    It is locked for as long as it is written: the lock says of what a killed writer left that nobody writes it any more.
    """
    remove_leftovers(path)
    with _made_beside(path) as temporary:
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the file at `path`: after a crash it is the old one or the new one, whole."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, reach the disk: what comes after is not there without it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(target: Path) -> None:
    """Remove what killed writers of `target` left beside it; not what another process writes just now.

    On a network file system another machine's lock may not be seen here: what was made there is left alone for an hour.
    """
    named = re.compile(rf"\.{re.escape(target.name)}\.(\d+)\.\d+\.tmp")
    with contextlib.suppress(FileNotFoundError):  # no folder yet
        for path in target.parent.iterdir():
            if match := named.fullmatch(path.name):
                # Where it cannot be locked or removed, it stays: nothing fails for that.
                with contextlib.suppress(OSError), path.open("r+b") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    status = os.fstat(file.fileno())
                    ours = int(match[1]) == _here() or time.time() - status.st_mtime > FORGOTTEN
                    if ours and os.path.samestat(status, path.stat()):
                        path.unlink()


@contextlib.contextmanager
def _made_beside(target: Path) -> Iterator[Path]:
    """Make a file that says which machine made it, and hold a lock on it. No two writers get one name."""
    while True:
        temporary = target.with_name(f".{target.name}.{_here()}.{secrets.randbits(48)}.tmp")
        with temporary.open("xb") as file:
            with contextlib.suppress(OSError):  # a file system without locks: there leftovers stay
                fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:  # else it was taken for a leftover before it was locked
                yield temporary
                return


def _here() -> int:
    """This machine as a number for names of files."""
    return zlib.crc32(machine().encode())
