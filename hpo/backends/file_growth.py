"""Which report files have grown: the kernel says so (inotify), and where it will not, they are looked at now and then."""

import contextlib
import logging
from pathlib import Path

from hpo.store.inotify import CLOSE_WRITE, IGNORED, MODIFY, MOVE_SELF, MOVED_TO, NO_LINK, ONLY_DIRECTORY, open_inotify

_FALLBACK_INTERVAL = 0.25

log = logging.getLogger(__name__)


class GrowingFiles:
    """Files by keys. Those that the kernel has no watch left for are taken to have grown every quarter of a second."""

    def __init__(self) -> None:
        self._inotify = open_inotify(f"reports are looked for every {_FALLBACK_INTERVAL:.2f} s")
        self._keys: dict[int, int] = {}  # watch -> key
        self._watches: dict[int, int] = {}  # key -> watch
        self._folders: dict[int, Path] = {}  # watch -> folder
        self.unwatched: set[int] = set()
        """Keys of files that have to be looked at."""
        self._refused = self._inotify is None

    @property
    def descriptor(self) -> int | None:
        """Becomes readable when a file grows; None where the kernel says nothing."""
        return None if self._inotify is None else int(self._inotify.fileno())

    def add(self, path: Path, key: int) -> None:
        """Look after a file that exists."""
        if self._inotify is not None:
            try:
                watch = self._inotify.add_watch(path, MODIFY)
            except OSError as error:  # fs.inotify.max_user_watches: an editor may have taken them all
                if not self._refused:
                    self._refused = True
                    log.warning("no inotify for %s (%s): it is looked at every %.2f s", path, error, _FALLBACK_INTERVAL)
            else:
                self._keys[watch], self._watches[key] = key, watch
                return
        self.unwatched.add(key)

    def add_folder(self, path: Path, key: int) -> bool:
        """Look after a folder in which files appear. If it is removed, it is made again.

        Returns:
            whether the kernel will tell of them.
        """
        if self._inotify is None:
            return False
        try:
            watch = self._inotify.add_watch(path, MOVED_TO | CLOSE_WRITE | MOVE_SELF | ONLY_DIRECTORY | NO_LINK)
        except OSError as error:
            log.info("no inotify for %s (%s)", path, error)
            return False
        self._keys[watch], self._folders[watch] = key, path
        return True

    def _look_after_again(self, watch: int) -> None:
        """A folder has been removed, or has got another name."""
        path, key = self._folders.pop(watch), self._keys.pop(watch)
        with contextlib.suppress(OSError):  # it went with the folder
            self._inotify.rm_watch(watch)
        with contextlib.suppress(OSError):  # another one has made it already, or the next line says why not
            path.mkdir()
        if not self.add_folder(path, key):
            log.warning("%s: is gone and cannot be made again; nothing that is left there is seen", path)

    def remove(self, key: int) -> None:
        """Look after it no more."""
        self.unwatched.discard(key)
        watch = self._watches.pop(key, None)
        if watch is not None and self._inotify is not None:
            self._keys.pop(watch, None)
            with contextlib.suppress(OSError):  # the file, and the watch with it, may have been deleted
                self._inotify.rm_watch(watch)

    def shorten(self, timeout: float | None) -> float | None:
        """A time to sleep, cut at when files have to be looked at."""
        if not self.unwatched:
            return timeout
        return _FALLBACK_INTERVAL if timeout is None else min(_FALLBACK_INTERVAL, timeout)

    def grown(self) -> list[int]:
        """Keys of what the kernel says has grown."""
        if self._inotify is None:
            return []
        events = self._inotify.read(timeout=0)
        watches = dict.fromkeys(event.wd for event in events)
        found = [self._keys[watch] for watch in watches if watch in self._keys]
        for event in events:
            if event.mask & (IGNORED | MOVE_SELF) and event.wd in self._folders:
                self._look_after_again(event.wd)
        return found

    def close(self) -> None:
        """Forget all."""
        if self._inotify is not None:
            self._inotify.close()
