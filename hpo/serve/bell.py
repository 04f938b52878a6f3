"""The kernel's word that a folder has changed, for whoever waits in the event loop."""

import asyncio
import contextlib
import logging
from pathlib import Path

from hpo.store.inotify import CREATE, DELETE, DELETE_SELF, MODIFY, MOVED_FROM, MOVED_TO, ONE_SHOT, open_inotify

BLIND = 1.0
"""Seconds between two looks where the kernel does not tell of changes: on network file systems."""
CHANGES = MODIFY | CREATE | MOVED_TO | MOVED_FROM | DELETE | DELETE_SELF | ONE_SHOT


class Bells:
    """Sets an event at the next change in a folder; each once, then it must be asked for again."""

    def __init__(self) -> None:
        self._inotify = open_inotify(f"event logs are looked at every {BLIND:g} s", logging.INFO)
        self._waiting: dict[int, set[asyncio.Event]] = {}

    @property
    def blind(self) -> bool:
        """Does the kernel tell of nothing?"""
        return self._inotify is None

    def begin(self) -> None:
        """Listen from now on."""
        if self._inotify is not None:
            asyncio.get_running_loop().add_reader(self._inotify.fd, self._ring)

    def end(self) -> None:
        """Listen no more."""
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify.fd)
            self._inotify.close()

    def listen(self, folder: Path, bell: asyncio.Event) -> bool:
        """Set `bell` at the next change in a folder. Returns whether the kernel will tell of it."""
        if self._inotify is None:
            return False
        with contextlib.suppress(OSError):  # it is gone, or there are too many: a tick will do
            self._waiting.setdefault(self._inotify.add_watch(folder, CHANGES), set()).add(bell)
            return True
        return False

    def ring_all(self) -> None:
        """Set all of them."""
        for bells in self._waiting.values():
            for bell in bells:
                bell.set()

    def _ring(self) -> None:
        for event in self._inotify.read(timeout=0):
            for bell in self._waiting.pop(event.wd, ()):
                bell.set()
