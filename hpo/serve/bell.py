"""Notifications from the kernel, in an asyncio event loop, that a folder has changed."""

import asyncio
import contextlib
import logging
from pathlib import Path

from hpo.store.inotify import CREATE, DELETE, DELETE_SELF, MODIFY, MOVED_FROM, MOVED_TO, ONE_SHOT, open_inotify

BLIND = 1.0
"""Seconds between two looks when the kernel reports no changes, as on network file systems."""
CHANGES = MODIFY | CREATE | MOVED_TO | MOVED_FROM | DELETE | DELETE_SELF | ONE_SHOT


class Bells:
    """Set asyncio events when folders change. Each request is for one change, then it must be made again."""

    def __init__(self) -> None:
        self._inotify = open_inotify(f"event logs are looked at every {BLIND:g} s", logging.INFO)
        self._waiting: dict[int, set[asyncio.Event]] = {}

    @property
    def blind(self) -> bool:
        """Whether the kernel cannot report changes."""
        return self._inotify is None

    def begin(self) -> None:
        """Start to listen for changes."""
        if self._inotify is not None:
            asyncio.get_running_loop().add_reader(self._inotify.fd, self._ring)

    def end(self) -> None:
        """Stop listening and close the kernel's descriptor."""
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify.fd)
            self._inotify.close()

    def listen(self, folder: Path, bell: asyncio.Event) -> bool:
        """Arrange that `bell` is set at the next change in a folder, and return whether the kernel will report it."""
        if self._inotify is None:
            return False
        with contextlib.suppress(OSError):  # the folder is gone, or there are too many; the tick makes up for it
            self._waiting.setdefault(self._inotify.add_watch(folder, CHANGES), set()).add(bell)
            return True
        return False

    def ring_all(self) -> None:
        """Set all events that wait for a change."""
        for bells in self._waiting.values():
            for bell in bells:
                bell.set()

    def _ring(self) -> None:
        for event in self._inotify.read(timeout=0):
            for bell in self._waiting.pop(event.wd, ()):
                bell.set()
