"""An event store that notices when its file is removed, replaced or truncated while open, and writes it again.

SQLite keeps writing to a file that no longer has a name. What a tuner acknowledges must be where a reader finds it, so the
files at the store's path are compared after each commit with those that were opened.
"""

import contextlib
import json
import logging
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hpo.errors import StoreError
from hpo.events.types import Event, Kind
from hpo.store.disk_space import gone_as_sentence
from hpo.store.event_store import Store
from hpo.store.sqlite_file import is_busy
from hpo.store.store_repair import keep_aside, write_again

log = logging.getLogger(__name__)

_PACKED = 1000
"""Number of events that are compressed together; those of a long experiment then take some 30 bytes each."""


class GuardedStore(Store):
    """The event store of a running experiment, with a copy of its events in memory.

    Args:
        path: Database file, which is created if necessary.
        keep: Whether to keep the copy; a session that can be repeated exactly does without it.
    """

    def __init__(self, path: Path, *, keep: bool = True) -> None:
        super().__init__(path)
        self._keep = keep
        self._copy: _Copy | None = None
        self._given_up = False
        self._seen = _Look(path)
        self._written = False
        self._folder = _identity(_status(str(path.parent)))

    def append(self, events: Sequence[Event]) -> None:
        """Commit events, all or none; when this returns, they are in the file at the store's path.

        Raises:
            StoreError: They could not be written there; the message says whether the file or its folder is gone.
        """
        if self._keep and self._copy is None:
            self._copy = _Copy(super().read())
        try:
            super().append(events)
        except StoreError:
            if self._copy is None or self._is_there():
                raise
        if self._copy is not None:
            self._copy.add(events)
        self._guard()

    def read(self, after: int = 0) -> Iterator[Event]:
        """Yield events with a sequence number above `after`, in order; see `Store.read`."""
        if self._copy is not None and not self._given_up:
            self._guard()
        return super().read(after)

    def close(self) -> None:
        """Close the file, and write it again if it is not at its path."""
        super().close()
        if self._copy is not None and not self._given_up and self.path.parent.is_dir() and not self._has_all():
            self._restore()
            super().close()

    def _guard(self) -> None:
        """Write the file again if it is not at its path."""
        if not self._is_there():
            self._restore()

    def _is_there(self) -> bool:
        """Whether the files at the store's path are those that were written, and nobody else has written to them."""
        now, before = _Look(self.path), self._seen
        if now.main != before.main or now.sizes[0] < before.sizes[0]:
            return False
        if self._written:  # SQLite makes the files beside it with the first commit
            if now.beside != before.beside:
                return False
            # SQLite has merged its log into the file, or somebody has written.
            if (now.changed != before.changed or now.sizes[1] < before.sizes[1]) and not self._has_all():
                return False
        self._seen, self._written = now, True
        return True

    def _has_all(self) -> bool:
        """Whether a reader finds all events, judged by their number and a sample of them."""
        if self._copy is None:
            return True
        count = self._copy.count
        try:
            with contextlib.closing(Store(self.path, read_only=True)) as store:
                if store.read_batch(count, 1):
                    return False
                for number in sorted({1, count // 4, count // 2, count * 3 // 4, count} - {0}):
                    found = store.read_batch(number - 1, 1)
                    if not found or _text(found[0][1]) != _text(self._copy.event(number)):
                        return False
        except StoreError as error:
            return is_busy(error.__cause__)
        return True

    def _restore(self) -> None:
        """Write a file with all events in place of the lost one.

        Raises:
            StoreError: The file could not be written, or there is no copy of the events.
        """
        self._given_up = True
        folder = self.path.parent
        if self._folder != _identity(_status(str(folder))):  # one of that name may have been made since
            raise gone_as_sentence(folder)
        main = _Look(self.path)
        what = "removed" if main.main is None else "replaced or truncated"
        if self._copy is None:
            raise StoreError(f"{self.path}: was {what} while the experiment ran; run the same command again")
        try:
            kept = keep_aside(self.path) if main.sizes[0] else None
            with contextlib.suppress(sqlite3.Error):  # of the lost file
                super().close()
            write_again(self.path, self._copy.batches())
        except OSError as error:
            raise StoreError(
                f"{self.path}: was {what} while the experiment ran, and its {self._copy.count} events could not be written "
                f"again ({error}); put it back from a copy, or pass overwrite=true to train everything again"
            ) from error
        super().__init__(self.path)
        self._seen, self._written, self._given_up = _Look(self.path), False, False
        log.warning(
            "%s: was %s while the experiment ran; its %d events are written again, and the experiment continues%s",
            self.path,
            what,
            self._copy.count,
            "" if kept is None else f"; what was there instead is kept as {kept.name}",
        )


class _Look:
    """The identity and size of the database and the files beside it at one moment, to detect changes."""

    __slots__ = ("beside", "changed", "main", "sizes")

    def __init__(self, path: Path) -> None:
        main, log_file, index = (_status(f"{path}{end}") for end in ("", "-wal", "-shm"))
        self.main = _identity(main)
        self.beside = [_identity(log_file), _identity(index)]
        self.sizes = [status.st_size if status else 0 for status in (main, log_file)]
        self.changed = main.st_mtime_ns if main and log_file else None
        """Time of the last change in nanoseconds; None without a write-ahead log, when each commit changes the file."""


class _Copy:
    """All events of a store in memory, mostly compressed."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.count = 0
        self._packed: list[bytes] = []
        self._recent: list[Event] = []
        for event in events:
            self.add((event,))

    def add(self, events: Sequence[Event]) -> None:
        """Append events."""
        self.count += len(events)
        self._recent += events
        while len(self._recent) >= _PACKED:
            text = json.dumps([_fields(event) for event in self._recent[:_PACKED]], separators=(",", ":"))
            self._packed.append(zlib.compress(text.encode(), 1))
            del self._recent[:_PACKED]

    def event(self, number: int) -> Event:
        """Return the event with a number, from 1."""
        chunk, index = divmod(number - 1, _PACKED)
        return self._recent[index] if chunk == len(self._packed) else _unpacked(self._packed[chunk])[index]

    def batches(self) -> Iterator[Sequence[Event]]:
        """Yield all events in order, in batches."""
        yield from map(_unpacked, self._packed)
        yield self._recent


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116  three of them follow each commit
    except OSError:
        return None


def _identity(status: os.stat_result | None) -> tuple[int, int] | None:
    return None if status is None else (status.st_dev, status.st_ino)


def _fields(event: Event) -> list[Any]:
    return [str(event.kind), *event[1:-1], dict(event.body)]


def _text(event: Event) -> str:
    return json.dumps(_fields(event))


def _unpacked(chunk: bytes) -> list[Event]:
    return [Event(Kind(kind), *rest) for kind, *rest in json.loads(zlib.decompress(chunk))]
