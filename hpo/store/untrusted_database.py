"""Opening an SQLite file that somebody else may have written.

SQLite executes what a file's schema says: a view in place of a table can compute forever, a trigger acts when a row is
written, and a rollback journal can name another file to be deleted. Only files with exactly the schema that hpo writes are
read or written.
"""

import contextlib
import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

from hpo.errors import StoreError
from hpo.store.untrusted import MOST_BODY

BESIDE = ("-wal", "-shm", "-journal")
"""Endings of the files beside an SQLite file that is being written, or was not closed in order."""
MOST_FETCHED = 16 << 20
"""Largest number of bytes of events that a reader fetches at once."""
_STEP = 100_000
"""Number of SQLite's virtual machine operations between two checks of their total."""
_SPARE = 20_000_000
"""Number of operations that a statement may take in addition to one per byte of the file; reading a row takes fewer."""
_JOURNAL_NAMES_A_FILE = bytes.fromhex("d9d505f920a163d7")


class BoundedConnection(sqlite3.Connection):
    """Connection whose statements are interrupted if they take longer than reading the whole file."""

    most = _SPARE
    _spent = 0

    def bound(self, size: int) -> None:
        """Interrupt statements that take too long, from now on.

        Args:
            size: Size of the file in bytes.
        """
        self.most = _SPARE + size
        self.set_progress_handler(self._count, _STEP)

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """See `sqlite3.Connection.execute`."""
        self._spent = 0
        return super().execute(*arguments)

    def _count(self) -> bool:
        self._spent += _STEP
        return self._spent > self.most


def connect_to_read(address: str, path: Path) -> sqlite3.Connection:
    """Return a connection that only reads, and does not trust the file.

    Args:
        address: SQLite URI of the file.
        path: Path of the file.

    Raises:
        StoreError: The file, or one beside it, is a link or not a regular file.
        sqlite3.Error: The file cannot be opened.
    """
    before = check_files(path)
    db = sqlite3.connect(address, uri=True, isolation_level=None, factory=BoundedConnection)
    try:
        if [known[:2] for known in check_files(path)] != [known[:2] for known in before]:  # it may have grown
            raise StoreError(f"{path}: was exchanged while it was opened; try again")
        db.bound(sum(size for _, _, size in before))
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BODY)
        for pragma in ("trusted_schema=OFF", "query_only=ON", "cell_size_check=ON"):
            db.execute(f"PRAGMA {pragma}")
    except BaseException:
        db.close()
        raise
    return db


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Return a connection for the writer; see `connect_to_read`."""
    check_files(path)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA trusted_schema=OFF")
    return db


def check_files(path: Path) -> list[tuple[int, int, int]]:
    """Check an SQLite file and those beside it, and return its device, inode and size; empty if it is missing.

    Raises:
        StoreError: A file is a link or not a regular file, or the journal names another file.
    """
    known = []
    for end in ("", *BESIDE):
        part = Path(f"{path}{end}")
        try:
            found = os.lstat(part)
        except OSError:
            continue
        if not stat.S_ISREG(found.st_mode):
            kind = "a link" if stat.S_ISLNK(found.st_mode) else "not a regular file"
            raise StoreError(f"{part}: is {kind}, and hpo reads only files of the directory itself; remove it")
        if end == "":
            known.append((found.st_dev, found.st_ino, found.st_size))
        elif end == "-journal" and found.st_size:
            with contextlib.suppress(FileNotFoundError):  # the transaction has ended meanwhile
                _check_journal(part)
    return known


def _check_journal(path: Path) -> None:
    """Raise StoreError for a journal that names another file, which SQLite would delete."""
    with path.open("rb") as file:
        file.seek(-min(8, os.fstat(file.fileno()).st_size), os.SEEK_END)
        if file.read(8) == _JOURNAL_NAMES_A_FILE:
            raise StoreError(
                f"{path}: belongs to a transaction over several files, which hpo does not write; remove it"
            )


def check_schema(db: sqlite3.Connection, script: str) -> None:
    """Raise sqlite3.DatabaseError for anything in a schema that hpo does not create.

    Args:
        db: Connection to the file.
        script: Statements with which hpo creates a file; tables of the first version lack the last column.
    """
    statements = [_normalised(part) for part in script.split(";")]
    made = {part for part in statements if part.startswith("CREATE ")}
    made |= {part.replace(",crc INTEGER)", ")") for part in made}
    for kind, name, sql in db.execute("SELECT type, name, sql FROM sqlite_master"):
        if not isinstance(sql, str) or _normalised(sql) not in made:
            raise sqlite3.DatabaseError(f"it has a {str(kind)[:20]} {str(name)[:40]!r} that hpo does not make")


def _normalised(sql: str) -> str:
    """Return a statement without irrelevant blanks; hpo's own contain no text in which blanks matter."""
    text = " ".join(sql.split())
    for mark in "(),":
        text = text.replace(f" {mark}", mark).replace(f"{mark} ", mark)
    return text


def fetched(cursor: sqlite3.Cursor, most: int) -> tuple[list[Any], bool]:
    """Fetch rows of events up to a limit of bytes; return them and whether there may be more.

    Args:
        cursor: Cursor of a statement that gives at most `most` rows, whose last two columns are the body and its check sum.
        most: Largest number of rows.
    """
    rows, size = [], 0
    for row in cursor:
        rows.append(row)
        size += len(row[-2])
        if size > MOST_FETCHED:
            cursor.close()  # the file is held no longer
            break
    return rows, len(rows) == most or size > MOST_FETCHED
