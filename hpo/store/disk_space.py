"""Room on the disk: how much there is, and what is said when there is too little."""

import contextlib
import logging
import os
from pathlib import Path

from hpo.errors import StoreError

log = logging.getLogger(__name__)

LEAST = 1 << 20
"""Bytes; with less free not even the event store can be made."""
LITTLE = 200 << 20
"""Bytes; with less free checkpoints and logs may soon fill the disk."""

FREE = "free disk space"
"""The remedy where nothing else can be the cause."""


def free_bytes(folder: Path) -> int:
    """What this user can still write there; 0 where that cannot be found out."""
    try:
        room = os.statvfs(folder)
    except OSError:
        return 0
    return room.f_bavail * room.f_frsize


def folder_bytes(folder: Path) -> int:
    """What the files in a folder and below hold; 0 where it is not there. A file with two names in it counts once."""
    seen: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # gone by now, or not to be looked at: an experiment goes on
                file = os.lstat(os.path.join(place, name))  # noqa: PTH118  a checkpoint may be thousands of files
                seen[file.st_dev, file.st_ino] = file.st_size
    return sum(seen.values())


def check_room(folder: Path) -> None:
    """Refuse to begin on a full disk, and warn of one that is nearly full.

    Raises:
        StoreError: nothing can be written there.
    """
    free = free_bytes(folder)
    if free < LEAST:
        raise disk_error_as_sentence(folder, f"an experiment needs at least {LEAST:,} bytes", FREE)
    if free < LITTLE:
        log.warning(
            "%s: only %s bytes are free there; checkpoints and logs may fill the disk", folder, format(free, ",")
        )


def gone_as_sentence(folder: Path) -> StoreError:
    """What to say if an experiment's folder is no longer there."""
    return StoreError(
        f"{folder}: the folder is gone, deleted or moved by somebody while hpo used it; put it back to go on with what was "
        f"in it, or run the same command again to start from nothing"
    )


def disk_error_as_sentence(path: Path, what: object, remedy: str = f"check permissions and {FREE}") -> StoreError:
    """What could not be written, as one sentence with the room that is left.

    Args:
        path: where.
        what: the error, or words that hold it.
        remedy: as words that the number of free bytes can follow.
    """
    if isinstance(what, FileNotFoundError) and not path.exists():
        return gone_as_sentence(path)
    free = free_bytes(next((folder for folder in (path, *path.parents) if folder.is_dir()), path))
    return StoreError(f"{path}: {what}; {remedy} ({free:,} bytes are free there), then run the same command again")
