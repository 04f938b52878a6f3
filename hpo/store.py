"""The event store: one SQLite file per experiment, one writer, append-only. What is committed is the experiment.

WAL with `synchronous=FULL`: an event is on the disk before the tuner acts on it, readers never block the writer.
File systems of a network lack the shared memory that WAL needs; there the classic rollback journal is used.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hpo.errors import StoreError
from hpo.trial import Event, Kind

SCHEMA_VERSION = 1

_SCHEMA = f"""
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    elapsed REAL NOT NULL,
    time REAL NOT NULL,
    trial INTEGER,
    attempt INTEGER,
    resource INTEGER,
    body TEXT NOT NULL
);
CREATE VIEW reports AS
    SELECT seq, elapsed, time, trial, attempt, resource,
           json_extract(body, '$.decision') AS decision, json_extract(body, '$.metrics') AS metrics
    FROM events WHERE kind = 'reported';
CREATE VIEW trials AS
    SELECT trial, elapsed AS started, json_extract(body, '$.configuration') AS configuration
    FROM events WHERE kind = 'started';
PRAGMA user_version = {SCHEMA_VERSION};
"""

_SELECT = "SELECT seq, kind, elapsed, time, trial, attempt, resource, body FROM events WHERE seq > ? ORDER BY seq"

_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "afs", "9p", "glusterfs"}


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
        try:
            if read_only:
                self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
            else:
                self._db = sqlite3.connect(path, isolation_level=None)
                journal = "DELETE" if on_network(path.parent) else "WAL"
                self._db.execute(f"PRAGMA journal_mode={journal}")
                self._db.execute("PRAGMA synchronous=FULL")
            self._check_version(read_only)
        except (sqlite3.Error, ValueError) as error:  # a damaged schema can make even the message undecodable
            raise self._broken(error) from error

    def _check_version(self, read_only: bool) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        self._empty = version == 0 and read_only  # created a moment ago by a writer that has not committed yet
        if version == 0 and not read_only:
            self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        elif version > SCHEMA_VERSION:
            raise StoreError(f"{self.path}: written by a later version of hpo; update hpo to read it")

    def append(self, events: Sequence[Event]) -> None:
        """Commit events, all or none. When this returns they survive a crash of the machine.

        Raises:
            StoreError: they could not be written, for instance because the disk is full; none of them is stored.
        """
        rows = [(e.kind.value, e.elapsed, e.time, e.trial, e.attempt, e.resource, _dumps(e.body)) for e in events]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(
                    "INSERT INTO events (kind, elapsed, time, trial, attempt, resource, body) VALUES (?,?,?,?,?,?,?)",
                    rows,
                )
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StoreError(
                f"{self.path}: {len(rows)} event(s) could not be written ({error}); everything before is safe: free disk "
                f"space or mend the permissions, then run the same command again"
            ) from error

    def read(self, after: int = 0) -> Iterator[Event]:
        """Events with a sequence number above `after`, in order.

        Raises:
            StoreError: the file is damaged.
        """
        for _, event in self.read_numbered(after):
            yield event

    def read_numbered(self, after: int = 0) -> Iterator[tuple[int, Event]]:
        """Events with their sequence numbers; see `read`."""
        if self._empty:
            return
        try:
            for row in self._db.execute(_SELECT, (after,)):
                yield _numbered(row)
        except (sqlite3.Error, ValueError) as error:
            raise self._broken(error) from error

    def read_batch(self, after: int, most: int) -> list[tuple[int, Event]]:
        """The first `most` events above `after`, with their sequence numbers.

        All rows are fetched before any is parsed: for readers beside a writer, who shall hold the file as shortly as can be.

        Raises:
            StoreError: the file is damaged.
        """
        if self._empty:
            return []
        try:
            rows = self._db.execute(f"{_SELECT} LIMIT ?", (after, most)).fetchall()
            return [_numbered(row) for row in rows]
        except (sqlite3.Error, ValueError) as error:
            raise self._broken(error) from error

    def last(self) -> Event | None:
        """The newest event; None in an empty store.

        Raises:
            StoreError: the file is damaged.
        """
        try:
            newest = self._db.execute("SELECT max(seq) FROM events").fetchone()[0]
        except (sqlite3.Error, ValueError) as error:
            raise self._broken(error) from error
        return None if newest is None else next(self.read(after=newest - 1))

    def close(self) -> None:
        """Close the file; the write-ahead log is merged into it, also where a reader still has the file open."""
        if self._writes:
            with contextlib.suppress(sqlite3.Error):  # a full disk: the log stays beside the file, nothing is lost
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._db.close()

    def _broken(self, error: Exception) -> StoreError:
        reason = " ".join(str(error).split())  # a damaged schema is quoted with its line breaks
        return StoreError(
            f"{self.path}: cannot be read as an event store ({reason}); move the directory {self.path.parent} away to keep "
            f"what is in it, or pass overwrite=true to start again"
        )


def _numbered(row: Sequence[Any]) -> tuple[int, Event]:
    seq, kind, elapsed, time, trial, attempt, resource, body = row
    return seq, Event(Kind(kind), elapsed, time, trial, attempt, resource, json.loads(body))


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


_dumps = json.JSONEncoder(separators=(",", ":")).encode
