"""The end of what a trial has printed, read below the experiment's own directory and nowhere else."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hpo.store.untrusted import open_folder, open_untrusted

NAMES = ("stdout", "stderr")
MOST = 64 * 1024
"""Bytes that a page shows."""
WHOLE = 256 * 1024
"""Bytes that are sent as a file."""


@contextlib.contextmanager
def _folder(directory: Path, trial: int, attempt: int) -> Iterator[int]:
    """A descriptor of an attempt's folder. A link on the way leads elsewhere, and is not followed.

    Raises:
        OSError: it is not there, or is a link.
    """
    way = (*directory.absolute().parts[1:], "trials", str(trial), f"attempt_{attempt}")
    descriptor = open_folder(Path("/"), *way)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_log(
    directory: Path, trial: int, attempt: int, name: str, after: int | None = None, most: int = MOST
) -> tuple[bytes, int]:
    """What an attempt has printed.

    Args:
        directory: of the experiment; there is no link in its path.
        trial: its number.
        attempt: its number.
        name: one of `NAMES`.
        after: bytes that are known; None: the end of it.
        most: bytes that are read.

    Returns:
        the bytes, and how many there are in all. A file that is shorter than `after` was begun anew, and its end is read.

    Raises:
        OSError: there is no such file.
    """
    with _folder(directory, trial, attempt) as folder:
        descriptor = open_untrusted(f"{name}.log", within=folder)
    try:
        size = os.fstat(descriptor).st_size
        begin = max(size - most, 0) if after is None or after > size else max(after, size - most)
        return os.pread(descriptor, size - begin, begin), size
    finally:
        os.close(descriptor)


def sizes(directory: Path, trial: int, attempt: int) -> dict[str, int]:
    """How large the logs of an attempt are; those there are."""
    found = {}
    with contextlib.suppress(OSError), _folder(directory, trial, attempt) as folder:
        for name in NAMES:
            with contextlib.suppress(OSError):
                entry = os.stat(f"{name}.log", dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(entry.st_mode):
                    found[name] = entry.st_size
    return found
