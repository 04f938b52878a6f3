"""Reading files that somebody else may have written, in a shared results folder or in an imported experiment.

Such a file is opened only if it is a regular file of its folder. A link could lead to a private file of the reader, a pipe or
a device would block it, and an endless file would fill the memory.
"""

import errno
import os
import stat
from pathlib import Path

MOST_CONFIG = 2 << 20
"""Largest `experiment.yaml` in bytes; parsing that many takes a quarter of a minute."""
MOST_JSON = 4 << 20
"""Largest `metadata.json`, tag record or other JSON file beside experiments, in bytes."""
MOST_ROW = 256 << 10
"""Largest `metadata.json` in bytes that is read for one row among hundreds."""
MOST_EARLIER = 256 << 20
"""Largest `warm_start.jsonl` in bytes."""
MOST_BODY = 4 << 20
"""Largest body of an event in bytes."""

MOST_ENTRIES = 1_000_000
"""Largest number of files in an exported file."""
MOST_UNPACKED = 2 << 30
"""Largest size of an exported file after unpacking in bytes, unless the importing user allows more."""
MOST_RATIO = 100
"""Largest factor by which an exported file may grow when unpacked, unless the importing user allows more; logs and events
grow by five to twenty.
"""
SMALL = 64 << 20
"""Size after unpacking in bytes up to which that factor does not matter."""

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class UnsafeFileError(OSError):
    """Error for a file that is not read because it is a link, a pipe, a device, or too large."""


def open_folder(folder: Path, *names: str) -> int:
    """Return a descriptor of a folder below another without following links; as a base for other calls, not for listing.

    Args:
        folder: Folder to start from; its path may contain links.
        *names: Names of nested folders, outermost first.

    Raises:
        OSError: A folder is missing, or one of the names is a link.
    """
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in names:
        try:
            below = os.open(name, _FOLDER, dir_fd=held)
        finally:
            os.close(held)
        held = below
    return held


def open_untrusted(path: Path | str, most: int | None = None, *, within: int | None = None) -> int:
    """Open a regular file for reading and return its descriptor, without ever blocking.

    Args:
        path: The file; links in the path to its folder are followed, but the file itself may not be one.
        most: Largest size in bytes; None for any size.
        within: Descriptor of the folder that the path is relative to.

    Raises:
        UnsafeFileError: The file is not a regular file, or is larger.
        OSError: The file is missing, or may not be read.
    """
    try:
        descriptor = os.open(path, _FLAGS, dir_fd=within)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnsafeFileError(
                errno.ELOOP, "it is a link, and hpo reads only files of the directory itself"
            ) from None
        if error.errno == errno.ENXIO:  # a socket
            raise UnsafeFileError(errno.ENXIO, "it is not a regular file") from None
        raise
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise UnsafeFileError(errno.EINVAL, "it is not a regular file")
        if most is not None and found.st_size > most:
            raise _too_large(most)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_untrusted(path: Path | str, most: int, *, within: int | None = None) -> bytes:
    """Return the content of a regular file; see `open_untrusted`.

    Args:
        path: The file.
        most: Largest size in bytes, even if the file grows meanwhile.
        within: Descriptor of the folder that the path is relative to.

    Raises:
        UnsafeFileError: The file is not a regular file, or is larger.
        OSError: The file is missing, or may not be read.
    """
    with os.fdopen(open_untrusted(path, most, within=within), "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise _too_large(most)
    return data


def _too_large(most: int) -> UnsafeFileError:
    return UnsafeFileError(errno.EFBIG, f"it has more than {most:,} bytes, which hpo writes into no such file")
