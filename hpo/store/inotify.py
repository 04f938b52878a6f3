"""The kernel's word that files have changed (inotify). Where it gives none, whoever would listen looks now and then."""

import logging
from typing import Any

log = logging.getLogger(__name__)

MODIFY, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE = 0x2, 0x8, 0x40, 0x80, 0x100
DELETE, DELETE_SELF = 0x200, 0x400
MOVE_SELF, IGNORED = 0x800, 0x8000
ONLY_DIRECTORY, NO_LINK = 0x01000000, 0x02000000
IS_DIRECTORY, ONE_SHOT = 0x40000000, 0x80000000
"""The kernel's numbers; the package that has names for them is not installed everywhere."""


def open_inotify(otherwise: str, level: int = logging.WARNING) -> Any:
    """An `inotify_simple.INotify`; None, with `otherwise` logged, where the kernel has none or none is left."""
    try:
        from inotify_simple import INotify

        return INotify()
    except (ImportError, OSError) as error:
        log.log(level, "no inotify (%s): %s", error, otherwise)
        return None
