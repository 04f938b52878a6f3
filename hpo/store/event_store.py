"""The event store: one SQLite file per experiment, one writer, append-only. What is committed is the experiment.

WAL with `synchronous=FULL`: an event is on the disk before the tuner acts on it, readers never block the writer.
File systems of a network lack the shared memory that WAL needs; there the classic rollback journal is used, and the writer
waits for readers.
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
"""The latest that is understood. A store is of version 2 until its first COMMANDED event, for older ones damage."""
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
"""What a new store is made with."""

_MIGRATE = f"BEGIN IMMEDIATE; ALTER TABLE events ADD COLUMN crc INTEGER; PRAGMA user_version = {_UNCOMMANDED}; COMMIT;"

_COLUMNS = "seq, kind, elapsed, time, trial, attempt, resource, body"

_DAMAGE = (sqlite3.Error, ValueError, KeyError, TypeError, AttributeError, struct.error)
"""What reading a damaged row can raise: a text where a number should be, and the other way round."""

_pack = struct.Struct("<ddqqq").pack
_NONE = -(1 << 63)

_NETWORK = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "afs", "9p", "glusterfs", "virtiofs", "fuse",
}  # fmt: skip


class Store:
    """The events of one experiment directory.

    Args:
        path: the database file; created when absent.
        read_only: for readers beside a running experiment.

    Raises:
        StoreError: the file is damaged, written by a later version, or cannot be opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._writes = not read_only
        self._has_log = False
        self.cut = False
        """The last batch has ended before the log did."""
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
        """Make or bring up to date what is there; the expression that gives an event's check sum."""
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
        """Before the first commit, for a file that is only looked at stays as it is."""
        begin_log(self._db, self.path, shared=on_network(self.path.parent))
        self._has_log = True

    def append(self, events: Sequence[Event]) -> None:
        """Commit events, all or none. When this returns they survive a crash of the machine.

        Raises:
            StoreError: they could not be written, for instance because the disk is full; none of them is stored.
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
        """Events with a sequence number above `after`, in order.

        Raises:
            StoreError: the file is damaged.
        """
        return (event for _, event in self.read_numbered(after))

    def read_numbered(self, after: int = 0) -> Iterator[tuple[int, Event]]:
        """Events with their sequence numbers; see `read`."""
        if self._empty:
            return
        try:
            for number, row in enumerate(self._db.execute(self._select, (after,)), after + 1):
                yield _numbered(row, number, check=number > self._checked)
        except _DAMAGE as error:
            raise self._broken(error) from error

    def read_batch(self, after: int, most: int) -> list[tuple[int, Event]]:
        """The first `most` events above `after`, with their sequence numbers; fewer if they are huge, which `cut` tells.

        All rows are fetched before any is parsed: for readers beside a writer, who shall hold the file as shortly as can be.

        Raises:
            StoreError: the file is damaged.
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
        """Go through all events without making them; what was found sound here is not summed up again by `read`.

        Raises:
            StoreError: the file is damaged.
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
        """The newest event; None in an empty store.

        Raises:
            StoreError: the file is damaged.
        """
        try:
            newest = self._db.execute("SELECT max(seq) FROM events").fetchone()[0]
        except _DAMAGE as error:
            raise self._broken(error) from error
        return None if newest is None else next(self.read(after=newest - 1), None)

    def close(self) -> None:
        """Close the file; the write-ahead log is merged into it, also where a reader still has the file open."""
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
    """An event as it is stored, its check sum last."""
    times = float(event.elapsed) + 0.0, float(event.time) + 0.0  # SQLite keeps no negative zero
    fields = (str(event.kind), *times, event.trial, event.attempt, event.resource, _dumps(event.body or {}))
    return (*fields, _check_sum(fields))


def _check_sum(fields: Sequence[Any]) -> int:
    """Of an event's fields in the order of the table; the numbers as their bytes, for that is quickest."""
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
    """Raise ValueError unless this is the row of the event of that number, as it was written."""
    if row[0] != number:
        raise ValueError(f"event {number} is missing")
    if row[-1] is None:  # of the first version; with a sum, packing has seen to it
        if any(value is not None and type(value) is not int for value in row[4:7]):
            raise ValueError(f"event {number} has no number where one must be")
    elif row[-1] != _check_sum(row[1:-1]):
        raise ValueError(f"event {number} is not what was written")


def _numbered(row: Sequence[Any], number: int, *, check: bool) -> tuple[int, Event]:
    """A stored event, which must be the one of that number and as it was written."""
    if check:
        _verify(row, number)
    seq, kind, elapsed, time, trial, attempt, resource, body, _ = row
    content, end = _decode(body)
    if end != len(body):
        raise ValueError(f"event {number} has more than its body")
    return seq, Event(_KINDS[kind], elapsed, time, trial, attempt, resource, content)


def on_network(folder: Path) -> bool:
    """Is `folder` on a network file system, as far as the kernel's mount table tells?"""
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
"""As `json.loads`, which also looks for blanks around what was written without."""
_KINDS = {kind.value: kind for kind in Kind}
