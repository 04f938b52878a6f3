"""Atomic replacement of files: a reader sees the old or the new file, whole, even if the writer is killed."""

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
"""Seconds without a change after which a file that another machine began to write counts as abandoned."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a new file beside `path`, which then replaces it; after an error, the old file stays.

    The new file is locked while it is written, so that what a killed writer left is known to be abandoned.
    """
    remove_leftovers(path)
    with _made_beside(path) as temporary:
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the content of a file: after a crash it is the old or the new one, whole."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to disk, before anything that depends on it is written."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(target: Path) -> None:
    """Remove what killed writers of `target` left beside it, but not what another process is writing.

    On a network file system, another machine's lock may be invisible; what was made there is left alone for an hour.
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
    """Create and lock a file whose name says which machine made it. No two writers get the same name."""
    while True:
        temporary = target.with_name(f".{target.name}.{_here()}.{secrets.randbits(48)}.tmp")
        with temporary.open("xb") as file:
            with contextlib.suppress(OSError):  # a file system without locks: there leftovers stay
                fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:  # else it was taken for a leftover before it was locked
                yield temporary
                return


def _here() -> int:
    """Return this machine as a number for names of files."""
    return zlib.crc32(machine().encode())
