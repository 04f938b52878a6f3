"""Repair of a damaged event store: events before the damage go into a new store, and the damaged file is kept."""

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from hpo.errors import DamageError
from hpo.events.state import ExperimentState
from hpo.events.types import Event
from hpo.store.atomic_files import sync
from hpo.store.directory import ExperimentDirectory
from hpo.store.disk_space import disk_error_as_sentence
from hpo.store.event_store import Store

log = logging.getLogger(__name__)

_LONGEST = 1 << 36
"""Largest plausible number of bytes; a header with more is damaged itself."""

_PARTS = ("", "-wal")
"""Endings of the database and its write-ahead log; the index of the log (-shm) is created again by SQLite."""


def open_store(path: Path, make: Callable[[Path], Store] = Store) -> Store:
    """Open the store at `path` for writing, and repair it first if it is damaged.

    The caller holds the experiment's lock.

    Args:
        path: Path of the database.
        make: Function that opens it.

    Raises:
        StoreError: It cannot be opened, or nothing in it can be read.
    """
    # Of a mending that was killed; where it cannot be removed, the next mending says so.
    shutil.rmtree(_workshop(path), ignore_errors=True)
    _put_in_place(path)
    try:
        store = make(path)
        try:
            store.check()
        except BaseException:
            store.close()
            raise
        return store
    except DamageError as error:
        _mend(path, error)
    return make(path)


def is_lost(path: Path) -> bool:
    """Whether there is no event store at `path`, or an empty file in its place, and none that could be put there."""
    there = [Path(f"{path}{part}") for part in _PARTS]
    return not _passing(path).exists() and not any(part.is_file() and part.stat().st_size for part in there)


def write_again(path: Path, batches: Iterable[Sequence[Event]]) -> None:
    """Write a new store at `path` from its writer's copy of the events. If killed, this leaves the store whole or absent.

    Raises:
        OSError, StoreError: The store could not be written.
    """
    folder = _workshop(path)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        with contextlib.closing(Store(folder / "new.db")) as store:
            for events in batches:
                store.append(events)
        (folder / "new.db").replace(_passing(path))
    finally:
        shutil.rmtree(folder)
    _put_in_place(path)


def _mend(path: Path, damage: DamageError) -> None:
    """Repair a damaged store. If killed, this leaves it as it was, or the new store complete under a temporary name."""
    try:
        folder = _workshop(path)
        folder.mkdir()
        try:
            events = _readable(path, folder)
            if not events:
                raise damage
            made = folder / "new.db"
            with contextlib.closing(Store(made)) as store:
                store.append(events)
            kept = keep_aside(path)
            made.replace(_passing(path))
        finally:
            shutil.rmtree(folder)
        _put_in_place(path)
    except OSError as error:
        raise disk_error_as_sentence(path, f"is damaged and could not be repaired ({error})") from error
    log.warning(
        "%s: was damaged; the %d events before the damage are recovered and the experiment resumes from there; the "
        "damaged file is kept as %s",
        path,
        len(events),
        kept.name,
    )


def _workshop(path: Path) -> Path:
    return path.with_name(".salvage")


def _passing(path: Path) -> Path:
    return path.with_name(f"{path.name}.mended")


def _put_in_place(path: Path) -> None:
    """Replace a damaged store by the repaired one, if there is one."""
    mended = _passing(path)
    if mended.exists():
        sync(path.parent)
        # Before the new database is there, for SQLite would write the old log into it.
        for part in ("-wal", "-shm", "-journal"):
            Path(f"{path}{part}").unlink(missing_ok=True)
        sync(path.parent)
        mended.replace(path)
        sync(path.parent)


def _readable(path: Path, folder: Path) -> list[Event]:
    """Return the events before the first damage, read from a copy."""
    copy = folder / "copy.db"
    for part in _PARTS:
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(f"{path}{part}", f"{copy}{part}")
    _pad(copy)
    events: list[Event] = []
    with contextlib.suppress(DamageError), contextlib.closing(Store(copy)) as store:  # that is where it ends
        events.extend(store.read())
    return events


def _pad(path: Path) -> None:
    """Extend a truncated file with zeros to the length in its header, because SQLite reads nothing of a shorter one."""
    with path.open("rb") as file:
        header = file.read(100)
    page = int.from_bytes(header[16:18], "big")
    length = (65536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    if header.startswith(b"SQLite format 3\0") and path.stat().st_size < length <= _LONGEST:
        os.truncate(path, length)  # sparse: no space is needed


def keep_aside(path: Path) -> Path:
    """Give the files of a damaged or foreign store second names, under which they are kept."""
    kept = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for part in _PARTS:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{kept}{part}").hardlink_to(f"{path}{part}")
    return kept


def put_aside_unknown(files: ExperimentDirectory, state: ExperimentState) -> None:
    """Move away the folders of trials and attempts that a repaired log has lost, so that they are not taken for new ones."""
    for folder in sorted(files.trials.glob("[0-9]*")):
        known = state.trials.get(int(folder.name)) if folder.name.isdecimal() else None
        lost = [folder]
        if known is not None:
            numbered = [(path.name.removeprefix("attempt_"), path) for path in folder.glob("attempt_*")]
            lost = [path for number, path in numbered if number.isdecimal() and int(number) > known.attempt]
        for path in lost:
            kept = files.left_behind / f"{path.relative_to(files.path)}-{time.time_ns()}".replace("/", "-")
            kept.parent.mkdir(exist_ok=True)
            path.rename(kept)
            log.warning("%s: left by a past that the event log has lost; moved to %s", path, kept)
