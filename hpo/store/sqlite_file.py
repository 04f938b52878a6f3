"""The SQLite file of an event store: how it is opened and closed, who waits for whom, and its error messages.

While it is written, it has a write-ahead log with an index beside it, which a reader must be able to create too. Closing it
in order leaves one file in rollback-journal mode, which can be read without permission to write.
"""

import contextlib
import logging
import os
import sqlite3
import time
from pathlib import Path

from hpo.errors import StoreError
from hpo.store.disk_space import disk_error_as_sentence, gone_as_sentence
from hpo.store.untrusted_database import connect_to_read

log = logging.getLogger(__name__)

PATIENCE = 300.0
"""Seconds that a writer waits for other users of the file; without a write-ahead log, readers block it too."""

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_CLOSED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
_DEVICE = {sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a store for reading, even beside a writer or without permission to write.

    Raises:
        StoreError: The file, or one beside it, is a link or not a regular file.
        sqlite3.Error: The file cannot be opened.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    db = connect_to_read(address, path)
    if os.access(path.parent, os.W_OK):
        return db
    try:
        db.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        db.close()
        if _code(error) not in _CLOSED or _unmerged(path):
            raise
        db = connect_to_read(
            f"{address}&immutable=1", path
        )  # nothing is beside the file, and no index can be made there
    return db


def copy_store(source: Path, target: Path) -> None:
    """Copy an event store as it is at one moment, even while it is written.

    Raises:
        StoreError: The store cannot be read.
    """
    try:
        with (
            contextlib.closing(open_to_read(source)) as old,
            contextlib.closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE").fetchall()  # one file, whole by itself
    except sqlite3.Error as error:
        reason = " ".join(str(error).split())
        raise StoreError(f"{source}: cannot be copied ({reason}); hpo status says what is wrong with it") from error


def begin_log(db: sqlite3.Connection, path: Path, *, shared: bool) -> None:
    """Choose the journal for commits; with either, committed events survive a crash of the machine.

    Args:
        db: Connection of the writer.
        path: Path of the file.
        shared: Whether it is on a network file system, which lacks the shared memory that a write-ahead log needs.
    """
    mode = "delete"
    if shared:
        patiently(db, "PRAGMA journal_mode=DELETE", path)
    else:
        try:
            mode = db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if not is_busy(error):  # a reader is at work: it goes without
                raise
    db.execute(f"PRAGMA synchronous={'FULL' if mode == 'wal' else 'EXTRA'}")  # EXTRA: the journal's removal lasts, too
    db.execute("PRAGMA cache_spill=OFF")  # until its commit a batch stays in memory, where no reader is in its way


def end_log(db: sqlite3.Connection) -> None:
    """Merge the write-ahead log into the file; if nobody has it open, it then needs no files beside it."""
    with contextlib.suppress(sqlite3.Error):  # a reader has the file open: it will go on reading
        if db.execute("PRAGMA journal_mode=DELETE").fetchone()[0] == "delete":
            return
    with contextlib.suppress(sqlite3.Error):  # a full disk: the log stays beside the file, nothing is lost
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def patiently(db: sqlite3.Connection, statement: str, path: Path) -> None:
    """Execute a statement, and retry while others hold the file. Ctrl-C is handled between two attempts.

    Raises:
        sqlite3.Error: The statement failed, or others held the file for longer than `PATIENCE`.
    """
    deadline = time.monotonic() + PATIENCE
    told = False
    while True:
        try:
            db.execute(statement).fetchall()
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
        if not told:
            told = True
            log.warning("%s: another program holds it; waiting up to %g s for that one", path, PATIENCE)
        time.sleep(0.05)  # some statements do not wait by themselves


def is_busy(error: BaseException | None) -> bool:
    """Whether an error means that another program holds the file, so that a later attempt may succeed."""
    return isinstance(error, sqlite3.OperationalError) and _code(error) in _BUSY


def sqlite_error_as_sentence(path: Path, error: Exception) -> StoreError | None:
    """Return the error whose cause is the machine and not the content of the file; None for damage."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_ROLLBACK:
        return StoreError(
            f"{path}: its tuner was killed while it wrote; run the same command again, which takes back what was half written"
        )
    code = _code(error)
    if is_busy(error):
        text = f"another program holds it ({error}); wait for that one or end it, then run the same command again"
    elif code in _CLOSED and _unmerged(path) and not os.access(path.parent, os.W_OK):
        text = (
            f"has events in a log beside it, which cannot be read in a directory that you may not write to; copy "
            f"{path.parent} to a place of your own and read it there"
        )
    elif code in _CLOSED:
        text = (
            f"cannot be opened ({error}); see that {path.parent} is there, and correct its permissions and the file's"
        )
    elif code in _DEVICE:
        text = (
            f"cannot be read or written ({error}); see to the disk and its free space, then run the same command again"
        )
    else:
        return None
    return StoreError(f"{path}: {text}")


def write_error_as_sentence(path: Path, error: sqlite3.Error, what: str) -> StoreError:
    """Return the error for a failed attempt to write `what`."""
    if not path.parent.is_dir():
        return gone_as_sentence(path.parent)
    text = f"{what} could not be written ({error}), everything before is safe"
    if is_busy(error):
        remedy = f"another program has held the file for {PATIENCE:g} s; end that one"
    elif _code(error) in _CLOSED:
        remedy = f"correct the permissions of {path.parent} and the files in it"
    else:
        return disk_error_as_sentence(path, text)
    return StoreError(f"{path}: {text}; {remedy}, then run the same command again")


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF


def _unmerged(path: Path) -> bool:
    """Whether a file lies beside the database without which it is incomplete."""
    for end in ("-wal", "-journal"):
        with contextlib.suppress(OSError):
            if Path(f"{path}{end}").stat().st_size:
                return True
    return False
