"""Reading files that somebody else may have written: in a shared results folder, or in an imported experiment.

Such a file is opened only if it is a regular file of its folder. A link could lead to a private file of whoever looks, a pipe
or a device would keep the reader waiting, and a file without an end would fill the memory.
"""

import errno
import os
import stat
from pathlib import Path

MOST_CONFIG = 2 << 20
"""Bytes of an `experiment.yaml`; parsing that many takes a quarter of a minute."""
MOST_JSON = 4 << 20
"""Bytes of `metadata.json`, of a tag's file, and of any other JSON that hpo writes beside its experiments."""
MOST_ROW = 256 << 10
"""Bytes of a `metadata.json` that is read for a row among hundreds of others."""
MOST_EARLIER = 256 << 20
"""Bytes of a `warm_start.jsonl`."""
MOST_BODY = 4 << 20
"""Bytes of one event's body."""

MOST_ENTRIES = 1_000_000
"""Files in an exported file."""
MOST_UNPACKED = 2 << 30
"""Bytes that an exported file may become, unless whoever imports it allows more."""
MOST_RATIO = 100
"""Times that an exported file may grow when it is unpacked, unless whoever imports it allows more; logs and events become
five to twenty times as large."""
SMALL = 64 << 20
"""Bytes up to which it does not matter how much it grows."""

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class UnsafeFileError(OSError):
    """A file that is not read because of what it is: a link, a pipe, a device, or too large."""


def open_folder(folder: Path, *names: str) -> int:
    """A descriptor of a folder some levels below another, without following a link on the way; it can be passed, not listed.

    Args:
        folder: where to begin; the path up to it may contain links.
        *names: one folder in the other.

    Raises:
        OSError: it is not there, or one of the names is a link.
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
    """A descriptor to read a regular file. Opening never waits.

    Args:
        path: the file; links in the path to its folder are followed, the file itself may not be one.
        most: bytes that it may have; None: any number.
        within: a descriptor of the folder that the path is relative to.

    Raises:
        UnsafeFileError: it is something else, or larger.
        OSError: it is not there, or may not be read.
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
    """The content of a regular file; see `open_untrusted`.

    Args:
        path: the file.
        most: bytes that it may have, also if it grows meanwhile.
        within: a descriptor of the folder that the path is relative to.

    Raises:
        UnsafeFileError: it is something else, or larger.
        OSError: it is not there, or may not be read.
    """
    with os.fdopen(open_untrusted(path, most, within=within), "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise _too_large(most)
    return data


def _too_large(most: int) -> UnsafeFileError:
    return UnsafeFileError(errno.EFBIG, f"it has more than {most:,} bytes, which hpo writes into no such file")
