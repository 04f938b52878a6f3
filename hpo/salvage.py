"""Mending a damaged event store: what is before the damage goes into a new one, the damaged one is kept beside it."""

import contextlib
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path

from hpo.errors import DamageError, StoreError
from hpo.store import Store
from hpo.trial import Event

log = logging.getLogger(__name__)

_LONGEST = 1 << 36
"""Bytes; a header that says more is damaged itself."""

_PARTS = ("", "-wal")
"""The database and its log; the index of the log (-shm) is made anew."""


def open_store(path: Path) -> Store:
    """The store at `path`, to write to; a damaged one is mended first.

    Raises:
        StoreError: it cannot be opened, or nothing in it can be read.
    """
    with contextlib.ExitStack() as undo:
        try:
            store = undo.enter_context(contextlib.closing(Store(path)))
            for _ in store.read():
                pass
        except DamageError as error:
            undo.close()
            damage = error
        else:
            undo.pop_all()
            return store
    _mend(path, damage)
    return Store(path)


def _mend(path: Path, damage: DamageError) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix=".salvage-", dir=path.parent) as folder:
            events = _readable(path, Path(folder))
            if not events:
                raise damage
            made = Path(folder) / "new.db"
            store = Store(made)
            store.append(events)
            store.close()
            kept = _put_aside(path)
            made.replace(path)
    except OSError as error:
        raise StoreError(
            f"{path}: is damaged and could not be mended ({error}); free disk space and try again"
        ) from error
    log.warning(
        "%s: was damaged; the %d events before the damage are recovered and the experiment goes on from there; the "
        "damaged file is kept as %s",
        *(path, len(events), kept.name),
    )


def _readable(path: Path, folder: Path) -> list[Event]:
    """The events before the first damage, read from a copy."""
    copy = folder / "copy.db"
    for part in _PARTS:
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(f"{path}{part}", f"{copy}{part}")
    _pad(copy)
    events: list[Event] = []
    with contextlib.suppress(DamageError):  # that is where it ends
        store = Store(copy)
        with contextlib.closing(store):
            events.extend(store.read())
    return events


def _pad(path: Path) -> None:
    """SQLite reads nothing of a file that is shorter than its header says: give it the length back, with zeros."""
    with path.open("rb") as file:
        header = file.read(100)
    page = int.from_bytes(header[16:18], "big")
    length = (65536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    if header.startswith(b"SQLite format 3\0") and path.stat().st_size < length <= _LONGEST:
        os.truncate(path, length)  # sparse: no space is needed


def _put_aside(path: Path) -> Path:
    """Keep the damaged files under names of their own; `path` itself stays until it is replaced."""
    kept = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    kept.hardlink_to(path)
    for part in _PARTS[1:]:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{part}").rename(f"{kept}{part}")
    Path(f"{path}-shm").unlink(missing_ok=True)
    return kept
