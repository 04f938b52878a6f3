"""The end of a trial's output, read from the experiment's own directory and nowhere else."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hpo.store.untrusted import open_folder, open_untrusted

NAMES = ("stdout", "stderr")
MOST = 64 * 1024
"""Bytes of a log that a page shows."""
WHOLE = 256 * 1024
"""Bytes of a log that are sent as a file."""


@contextlib.contextmanager
def _folder(directory: Path, trial: int, attempt: int) -> Iterator[int]:
    """Open the folder of an attempt, without following links on the way, and give its descriptor.

    Raises:
        OSError: The folder does not exist, or a link is in its place.
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
    """Read the end of an attempt's output.

    Args:
        directory: Directory of the experiment; no folder in its path is a link.
        trial: Number of the trial.
        attempt: Number of the attempt.
        name: One of `NAMES`.
        after: Number of bytes that are already known; None: read the end of the log.
        most: Largest number of bytes to read.

    Returns:
        The bytes, and the size of the log. The end is read if the log is shorter than `after`: it was begun again.

    Raises:
        OSError: There is no such log.
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
    """Return the sizes in bytes of an attempt's logs that exist."""
    found = {}
    with contextlib.suppress(OSError), _folder(directory, trial, attempt) as folder:
        for name in NAMES:
            with contextlib.suppress(OSError):
                entry = os.stat(f"{name}.log", dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(entry.st_mode):
                    found[name] = entry.st_size
    return found
