"""The event store: one SQLite file per experiment with one writer, append-only. Its committed events are the experiment.

It uses a write-ahead log (WAL) with `synchronous=FULL`: an event is on disk before the tuner acts on it, and readers never
block the writer. Network file systems lack the shared memory that WAL needs; there the classic rollback journal is used, and
the writer waits for readers.
"""

import json
import sqlite3
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hpo.errors import DamageError, StoreError
from hpo.events.types import Event, Kind
from hpo.store.sqlite_file import (
    begin_log,
    end_log,
    open_to_read,
    patiently,
    sqlite_error_as_sentence,
    write_error_as_sentence,
)
from hpo.store.untrusted_database import check_schema, connect_to_write, fetched

SCHEMA_VERSION = 3
"""Latest version of the format. A store has version 2 until its first COMMANDED event, damage to older versions."""
_UNCOMMANDED = 2

SCHEMA = f"""
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    elapsed REAL NOT NULL,
    time REAL NOT NULL,
    trial INTEGER,
    attempt INTEGER,
    resource INTEGER,
    body TEXT NOT NULL,
    crc INTEGER
);
CREATE VIEW reports AS
    SELECT seq, elapsed, time, trial, attempt, resource,
           json_extract(body, '$.decision') AS decision, json_extract(body, '$.metrics') AS metrics
    FROM events WHERE kind = 'reported';
CREATE VIEW trials AS
    SELECT trial, elapsed AS started, json_extract(body, '$.configuration') AS configuration
    FROM events WHERE kind = 'started';
PRAGMA user_version = {_UNCOMMANDED};
"""
"""Statements that create a new store."""

_MIGRATE = f"BEGIN IMMEDIATE; ALTER TABLE events ADD COLUMN crc INTEGER; PRAGMA user_version = {_UNCOMMANDED}; COMMIT;"

_COLUMNS = "seq, kind, elapsed, time, trial, attempt, resource, body"

_DAMAGE = (sqlite3.Error, ValueError, KeyError, TypeError, AttributeError, struct.error)
"""Exceptions that reading a damaged row can raise, such as for a text in place of a number."""

_pack = struct.Struct("<ddqqq").pack
_NONE = -(1 << 63)

_NETWORK = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "afs", "9p", "glusterfs", "virtiofs", "fuse",
}  # fmt: skip


class Store:
    """The stored events of one experiment.

    Args:
        path: Database file, which is created if necessary.
        read_only: Whether the store is only read, perhaps beside a running experiment.

    Raises:
        StoreError: The file is damaged, written by a later version, or cannot be opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._writes = not read_only
        self._has_log = False
        self.cut = False
        """Whether the last batch ended before the log did."""
        try:
            self._db = open_to_read(path) if read_only else connect_to_write(path)
            if not read_only and self._db.execute("PRAGMA page_count").fetchone()[0] == 0:
                self._begin_log()
            check_schema(self._db, SCHEMA)
            self._crc = self._check_version(read_only)
            self._checked = 0
        except (sqlite3.Error, ValueError) as error:  # a damaged schema can make even the message undecodable
            if hasattr(self, "_db"):
                self._db.close()
            raise self._broken(error) from error

    def _check_version(self, read_only: bool) -> str:
        """Create or upgrade the tables, and return the SQL expression of an event's check sum."""
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StoreError(f"{self.path}: written by a later version of hpo; update hpo to read it")
        # What is there, and not the version, says how to read it: one bit of a number can be wrong.
        columns = {column[1] for column in self._db.execute("PRAGMA table_info(events)")}
        if version and not columns:
            raise sqlite3.DatabaseError("it has no events")
        self._empty = read_only and not columns  # created a moment ago by a writer that has not committed yet
        if not columns and not read_only:
            self._db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
        elif columns and "crc" not in columns:
            if read_only:
                return "NULL"
            self._db.executescript(_MIGRATE)
        return "crc"

    def _begin_log(self) -> None:
        """Choose the journal before the first commit; a file that is only read is not changed."""
        begin_log(self._db, self.path, shared=on_network(self.path.parent))
        self._has_log = True

    def append(self, events: Sequence[Event]) -> None:
        """Commit events, all or none. When this returns, they survive a crash of the machine.

        Raises:
            StoreError: They could not be written, for instance because the disk is full; none of them is stored.
        """
        try:
            if self._writes and not self._has_log:
                self._begin_log()
            patiently(self._db, "BEGIN IMMEDIATE", self.path)
            try:
                self._db.executemany(
                    "INSERT INTO events (kind, elapsed, time, trial, attempt, resource, body, crc) "
                    "VALUES (?,?,?,?,?,?,?,?)",
                    map(_row, events),
                )
                if any(event.kind is Kind.COMMANDED for event in events):
                    self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")  # part of the transaction
                patiently(self._db, "COMMIT", self.path)
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise write_error_as_sentence(self.path, error, f"{len(events)} event(s)") from error

    def read(self, after: int = 0) -> Iterator[Event]:
        """Yield events with a sequence number above `after`, in order.

        Raises:
            StoreError: The file is damaged.
        """
        return (event for _, event in self.read_numbered(after))

    def read_numbered(self, after: int = 0) -> Iterator[tuple[int, Event]]:
        """Yield events with their sequence numbers; see `read`."""
        if self._empty:
            return
        try:
            for number, row in enumerate(self._db.execute(self._select, (after,)), after + 1):
                yield _numbered(row, number, check=number > self._checked)
        except _DAMAGE as error:
            raise self._broken(error) from error

    def read_batch(self, after: int, most: int) -> list[tuple[int, Event]]:
        """Return the first `most` events above `after` with their numbers; fewer if they are huge, and then `cut` is set.

        All rows are fetched before any is parsed, so that a reader beside a writer holds the file as briefly as possible.

        Raises:
            StoreError: The file is damaged.
        """
        self.cut = False
        if self._empty:
            return []
        try:
            rows, self.cut = fetched(self._db.execute(f"{self._select} LIMIT ?", (after, most)), most)
            return [_numbered(row, number, check=number > self._checked) for number, row in enumerate(rows, after + 1)]
        except _DAMAGE as error:
            raise self._broken(error) from error

    def check(self) -> None:
        """Check all events without parsing them; `read` does not check these again.

        Raises:
            StoreError: The file is damaged.
        """
        number = 0
        try:
            for number, row in enumerate(self._db.execute(self._select, (0,)), 1):
                _verify(row, number)
                if row[-1] is None:  # of the first version, without a sum: only making the event can tell
                    _numbered(row, number, check=False)
        except _DAMAGE as error:
            raise self._broken(error) from error
        self._checked = number

    def last(self) -> Event | None:
        """Return the newest event; None in an empty store.

        Raises:
            StoreError: The file is damaged.
        """
        try:
            newest = self._db.execute("SELECT max(seq) FROM events").fetchone()[0]
        except _DAMAGE as error:
            raise self._broken(error) from error
        return None if newest is None else next(self.read(after=newest - 1), None)

    def close(self) -> None:
        """Close the file and merge the write-ahead log into it, even if a reader still has the file open."""
        if self._writes:
            end_log(self._db)
        self._db.close()

    @property
    def _select(self) -> str:
        return f"SELECT {_COLUMNS}, {self._crc} FROM events WHERE seq > ? ORDER BY seq"

    def _broken(self, error: Exception) -> StoreError:
        if (known := sqlite_error_as_sentence(self.path, error)) is not None:
            return known
        reason = " ".join(str(error).split())  # a damaged schema is quoted with its line breaks
        return DamageError(
            f"{self.path}: cannot be read as an event store ({reason}); move the directory {self.path.parent} away to keep "
            f"what is in it, or pass overwrite=true to start again"
        )


def _row(event: Event) -> tuple[Any, ...]:
    """Return the stored fields of an event, its check sum last."""
    times = float(event.elapsed) + 0.0, float(event.time) + 0.0  # SQLite keeps no negative zero
    fields = (str(event.kind), *times, event.trial, event.attempt, event.resource, _dumps(event.body or {}))
    return (*fields, _check_sum(fields))


def _check_sum(fields: Sequence[Any]) -> int:
    """Return the check sum of an event's fields in the order of the table; numbers count by their bytes, which is fastest."""
    kind, elapsed, time, trial, attempt, resource, body = fields
    numbers = _pack(
        elapsed,
        time,
        _NONE if trial is None else trial,
        _NONE if attempt is None else attempt,
        _NONE if resource is None else resource,
    )
    return zlib.crc32(kind.encode() + numbers + body.encode())


def _verify(row: Sequence[Any], number: int) -> None:
    """Raise ValueError unless a row is that of the event with this number, unchanged."""
    if row[0] != number:
        raise ValueError(f"event {number} is missing")
    if row[-1] is None:  # of the first version; with a sum, packing has seen to it
        if any(value is not None and type(value) is not int for value in row[4:7]):
            raise ValueError(f"event {number} has no number where one must be")
    elif row[-1] != _check_sum(row[1:-1]):
        raise ValueError(f"event {number} is not what was written")


def _numbered(row: Sequence[Any], number: int, *, check: bool) -> tuple[int, Event]:
    """Return a stored event with its number; raise ValueError unless it is the expected one, unchanged."""
    if check:
        _verify(row, number)
    seq, kind, elapsed, time, trial, attempt, resource, body, _ = row
    content, end = _decode(body)
    if end != len(body):
        raise ValueError(f"event {number} has more than its body")
    return seq, Event(_KINDS[kind], elapsed, time, trial, attempt, resource, content)


def on_network(folder: Path) -> bool:
    """Whether a folder is on a network file system, as far as the kernel's mount table tells."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return False
    target = str(folder.resolve())
    best, kind = "", ""
    for line in mounts:
        fields, _, tail = line.partition(" - ")
        mount = fields.split()[4].replace("\\040", " ")
        inside = target == mount or target.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, tail.split()[0]
    return kind in _NETWORK or (kind.startswith("fuse.") and kind != "fuse.overlayfs")


_dumps = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_decode = json.JSONDecoder().raw_decode
"""Fast form of `json.loads`, which would also look for blanks around the text."""
_KINDS = {kind.value: kind for kind in Kind}
