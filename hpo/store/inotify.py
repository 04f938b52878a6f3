"""Notifications of the kernel that files have changed (inotify). Without them, callers look at intervals."""

import logging
from typing import Any

log = logging.getLogger(__name__)

MODIFY, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE = 0x2, 0x8, 0x40, 0x80, 0x100
DELETE, DELETE_SELF = 0x200, 0x400
MOVE_SELF, IGNORED = 0x800, 0x8000
ONLY_DIRECTORY, NO_LINK = 0x01000000, 0x02000000
IS_DIRECTORY, ONE_SHOT = 0x40000000, 0x80000000
"""Flags of the kernel; the package with names for them is not installed everywhere."""


def open_inotify(otherwise: str, level: int = logging.WARNING) -> Any:
    """Return an `inotify_simple.INotify`; None, with `otherwise` logged, if the kernel has none or none is left."""
    try:
        from inotify_simple import INotify

        return INotify()
    except (ImportError, OSError) as error:
        log.log(level, "no inotify (%s): %s", error, otherwise)
        return None
