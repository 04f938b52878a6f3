"""Free space on a disk, and the messages if there is too little."""

import contextlib
import logging
import os
from pathlib import Path

from hpo.errors import StoreError

log = logging.getLogger(__name__)

LEAST = 1 << 20
"""Bytes of free space without which not even the event store can be created."""
LITTLE = 200 << 20
"""Bytes of free space below which checkpoints and logs may soon fill the disk."""

FREE = "free disk space"
"""Remedy for errors whose only cause is a full disk."""


def free_bytes(folder: Path) -> int:
    """Return the bytes that this user can still write in a folder; 0 if unknown."""
    try:
        room = os.statvfs(folder)
    except OSError:
        return 0
    return room.f_bavail * room.f_frsize


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files below a folder; 0 if it is missing. A file with two names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # gone by now, or not to be looked at: an experiment goes on
                file = os.lstat(os.path.join(place, name))  # noqa: PTH118  a checkpoint may be thousands of files
                seen[file.st_dev, file.st_ino] = file.st_size
    return sum(seen.values())


def check_room(folder: Path) -> None:
    """Raise an error if the disk is full, and warn if it is nearly full.

    Raises:
        StoreError: Nothing can be written there.
    """
    free = free_bytes(folder)
    if free < LEAST:
        raise disk_error_as_sentence(folder, f"an experiment needs at least {LEAST:,} bytes", FREE)
    if free < LITTLE:
        log.warning(
            "%s: only %s bytes are free there; checkpoints and logs may fill the disk", folder, format(free, ",")
        )


def gone_as_sentence(folder: Path) -> StoreError:
    """Return the error for an experiment's folder that no longer exists."""
    return StoreError(
        f"{folder}: the folder is gone, deleted or moved by somebody while hpo used it; put it back to resume what "
        f"was in it, or run the same command again to start from scratch"
    )


def disk_error_as_sentence(path: Path, what: object, remedy: str = f"check permissions and {FREE}") -> StoreError:
    """Return the error for a file that could not be written, with the free space.

    Args:
        path: Path that could not be written.
        what: The error, or words about it.
        remedy: Words that the number of free bytes can follow.
    """
    if isinstance(what, FileNotFoundError) and not path.exists():
        return gone_as_sentence(path)
    free = free_bytes(next((folder for folder in (path, *path.parents) if folder.is_dir()), path))
    return StoreError(f"{path}: {what}; {remedy} ({free:,} bytes are free there), then run the same command again")
