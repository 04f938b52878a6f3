"""SQLite files that somebody else may have written: only the schema that hpo makes is read, and no statement is endless."""

import contextlib
import os
import sqlite3
import time

import pytest

from hpo.errors import StoreError
from hpo.events.types import Event, Kind
from hpo.store import untrusted_database
from hpo.store.event_store import Store
from hpo.store.sqlite_file import open_to_read
from hpo.store.store_repair import open_store

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "events.db"
    with contextlib.closing(Store(found)) as store:
        store.append([Event(Kind.NOTED, float(i), 1e9 + i, body={"i": i}) for i in range(3)])
    return found


def changed(path, script):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(script)


COLUMNS = "i AS seq, 'noted' AS kind, 0.0 AS elapsed, 0.0 AS time, NULL AS trial, NULL AS attempt, NULL AS resource"
HOSTILE = {
    "a view in the table's place": f"ALTER TABLE events RENAME TO old; DROP VIEW reports; DROP VIEW trials; "
    f"CREATE VIEW events AS SELECT {COLUMNS}, '{{}}' AS body, NULL AS crc FROM ({ENDLESS});",
    "a virtual table in its place": "DROP VIEW reports; DROP VIEW trials; DROP TABLE events; "
    "CREATE VIRTUAL TABLE events USING fts5(seq, kind, elapsed, time, trial, attempt, resource, body, crc);",
    "a generated column": "DROP VIEW reports; DROP VIEW trials; DROP TABLE events; CREATE TABLE events (seq INTEGER PRIMARY "
    "KEY, kind, elapsed, time, trial, attempt, resource, body AS (hex(zeroblob(1000000000))), crc);",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM events; END;",
    "a view of another content": f"DROP VIEW reports; CREATE VIEW reports AS {ENDLESS};",
    "a further view": "CREATE VIEW more AS SELECT 1;",
    "an index": "CREATE INDEX i ON events (hex(body));",
    "a further table": "CREATE TABLE more (a);",
}


@pytest.mark.parametrize("script", HOSTILE.values(), ids=HOSTILE)
def test_a_schema_that_hpo_does_not_make_is_one_sentence_for_readers_and_for_the_writer(path, script):
    changed(path, script)
    began = time.monotonic()
    for make in (lambda: Store(path, read_only=True), lambda: Store(path), lambda: open_store(path)):
        with pytest.raises(StoreError, match=r"it has a (view|table|index|trigger) '\w+' that hpo does not make"):
            make()
    assert time.monotonic() - began < 30


def test_a_statement_that_never_ends_is_interrupted(path):
    with contextlib.closing(open_to_read(path)) as db, pytest.raises(sqlite3.OperationalError, match="interrupted"):
        db.execute(f"SELECT max(i) FROM ({ENDLESS})").fetchone()


def test_a_reader_reads_a_long_log_again_and_again(tmp_path):
    """Each statement has its own bound, which is above what reading all of the file takes."""
    path = tmp_path / "events.db"
    with contextlib.closing(Store(path)) as store:
        store.append([Event(Kind.NOTED, 0.0, 1e9) for _ in range(50_000)])
    with contextlib.closing(open_to_read(path)) as db:
        for _ in range(60):  # 60 times 50,000 rows are more operations than one statement may have
            assert db.execute("SELECT sum(length(body)) FROM events WHERE seq > 0").fetchone()[0] == 100_000


def test_what_a_reader_may_not_do_is_switched_off(path):
    with contextlib.closing(open_to_read(path)) as db:
        found = [
            db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("trusted_schema", "query_only", "cell_size_check")
        ]
    assert found == [0, 1, 1]


@pytest.mark.parametrize("end", ["", "-wal", "-journal", "-shm"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_no_part_of_a_database_may_be_a_link_or_a_pipe(path, tmp_path, end, kind):
    part = tmp_path / f"events.db{end}"
    if part.exists():
        part.rename(tmp_path / "other")
    if kind == "link":
        part.symlink_to(tmp_path / "other")
    else:
        os.mkfifo(part)
    for read_only in (True, False):
        with pytest.raises(StoreError, match=f"events.db{end}: is (a link|not a regular file)"):
            Store(path, read_only=read_only)


def test_a_journal_does_not_have_the_writer_delete_another_file(path, tmp_path):
    """SQLite ends a transaction over several files by deleting the file that its journals name."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"\0")
    name = str(victim).encode()
    number = 1 << 30
    head = bytes.fromhex("d9d505f920a163d7") + b"\0\0\0\0" + bytes(4) + (1).to_bytes(4, "big")
    head += (512).to_bytes(4, "big") + (4096).to_bytes(4, "big")
    tail = (number // 4096 + 1).to_bytes(4, "big") + name + len(name).to_bytes(4, "big")
    tail += sum(name).to_bytes(4, "big") + bytes.fromhex("d9d505f920a163d7")
    (tmp_path / "events.db-journal").write_bytes(head.ljust(512, b"\0") + tail)
    with pytest.raises(StoreError, match="transaction over several files"):
        open_store(path)
    assert victim.exists()


def test_huge_events_are_fetched_a_few_at_a_time(path):
    with contextlib.closing(Store(path)) as store:
        store.append([Event(Kind.NOTED, 0.0, 1e9, body={"text": "x" * (3 << 20)}) for _ in range(10)])
    taken = []
    with contextlib.closing(Store(path, read_only=True)) as store:
        while batch := store.read_batch(len(taken), 2000):
            assert sum(len(event.body.get("text", "")) for _, event in batch) <= 20 << 20
            taken += [number for number, _ in batch]
            if not store.cut:
                break
    assert taken == list(range(1, 14))


def test_a_file_that_grows_while_it_is_opened_is_not_taken_for_another(path, monkeypatch):
    """SQLite moves its log into the file at any moment."""
    looks = iter([[(1, 2, 4096)], [(1, 2, 8192)]])
    monkeypatch.setattr(untrusted_database, "check_files", lambda _: next(looks))
    untrusted_database.connect_to_read(f"file:{path}?mode=ro", path).close()


def test_a_journal_that_goes_while_it_is_looked_at_is_no_error(path, tmp_path, monkeypatch):
    (tmp_path / "events.db-journal").write_bytes(b"journal")

    def gone(journal):
        journal.unlink()
        journal.open("rb")

    monkeypatch.setattr(untrusted_database, "_check_journal", gone)
    assert len(untrusted_database.check_files(path)) == 1
