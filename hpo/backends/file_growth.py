"""Detection of report files that have grown, by inotify or, if the kernel offers no watch, by looking at intervals."""

import contextlib
import logging
from pathlib import Path

from hpo.store.inotify import CLOSE_WRITE, IGNORED, MODIFY, MOVE_SELF, MOVED_TO, NO_LINK, ONLY_DIRECTORY, open_inotify

_FALLBACK_INTERVAL = 0.25

log = logging.getLogger(__name__)


class GrowingFiles:
    """Watched files, by keys. Files without a kernel watch count as grown every quarter of a second."""

    def __init__(self) -> None:
        self._inotify = open_inotify(f"reports are looked for every {_FALLBACK_INTERVAL:.2f} s")
        self._keys: dict[int, int] = {}  # watch -> key
        self._watches: dict[int, int] = {}  # key -> watch
        self._folders: dict[int, Path] = {}  # watch -> folder
        self.unwatched: set[int] = set()
        """Keys of files without a kernel watch, which have to be looked at."""
        self._refused = self._inotify is None

    @property
    def descriptor(self) -> int | None:
        """Descriptor that becomes readable when a file grows; None without inotify."""
        return None if self._inotify is None else int(self._inotify.fileno())

    def add(self, path: Path, key: int) -> None:
        """Watch a file that exists."""
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
        """Watch a folder in which files appear. If it is removed, it is created again.

        Returns:
            Whether the kernel will report new files.
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
        """Create and watch a folder again after it was removed or renamed."""
        path, key = self._folders.pop(watch), self._keys.pop(watch)
        with contextlib.suppress(OSError):  # it was removed with the folder
            self._inotify.rm_watch(watch)
        with contextlib.suppress(OSError):  # another one has made it already, or the next line says why not
            path.mkdir()
        if not self.add_folder(path, key):
            log.warning("%s: is gone and cannot be made again; nothing that is left there is seen", path)

    def remove(self, key: int) -> None:
        """Stop watching a file."""
        self.unwatched.discard(key)
        watch = self._watches.pop(key, None)
        if watch is not None and self._inotify is not None:
            self._keys.pop(watch, None)
            with contextlib.suppress(OSError):  # the file, and the watch with it, may have been deleted
                self._inotify.rm_watch(watch)

    def shorten(self, timeout: float | None) -> float | None:
        """Return a timeout, shortened to the time at which files without a watch must be looked at."""
        if not self.unwatched:
            return timeout
        return _FALLBACK_INTERVAL if timeout is None else min(_FALLBACK_INTERVAL, timeout)

    def grown(self) -> list[int]:
        """Return the keys of files that have grown according to the kernel."""
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
        """Stop watching all files."""
        if self._inotify is not None:
            self._inotify.close()
