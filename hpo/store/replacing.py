"""Files that a reader sees as they were or as they shall be, whole, whatever kills the writer; what it leaves is removed."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file beside `path` to write to, which then takes its place; after an error there is only what was there before.

    It is locked for as long as it is written: the lock says of what a killed writer left that nobody writes it any more.
    """
    remove_leftovers(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with _locked(temporary):
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
    """Remove what killed writers of `target` left beside it; not what another process writes just now."""
    with contextlib.suppress(FileNotFoundError):  # no folder yet
        for path in target.parent.iterdir():
            number = path.name.removeprefix(f".{target.name}.").removesuffix(".tmp")
            if number.isdecimal() and path.name == f".{target.name}.{number}.tmp":
                # Where it cannot be locked or removed, it stays: nothing fails for that.
                with contextlib.suppress(OSError), path.open("r+b") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                        path.unlink()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Make a file and hold a lock on it."""
    while True:
        with path.open("wb") as file:
            with contextlib.suppress(OSError):  # a file system without locks: there leftovers stay
                fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:  # else it was taken for a leftover before it was locked
                yield
                return
