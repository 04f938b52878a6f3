"""The event store: what was acknowledged is there, in order, after anything that can happen to a machine."""

import contextlib
import json
import math
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hpo.errors import DamageError, StoreError
from hpo.events.types import Event, Kind
from hpo.store import sqlite_file
from hpo.store.event_store import SCHEMA_VERSION, Store, on_network
from tests.conftest import SCRIPTS

text = st.text(st.characters(), max_size=20)  # lone surrogates included
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
small = st.none() | st.integers(0, 2**40)
moments = st.floats(allow_nan=False, allow_infinity=False)
events = st.builds(
    Event, st.sampled_from(Kind), moments, moments, small, small, small, st.dictionaries(text, values, max_size=4)
)


def same(a, b):
    """Equal, where NaN equals NaN and 1, 1.0 and True are three values."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    return type(a) is type(b) and a == b


def same_event(a, b):
    fields = ("kind", "elapsed", "time", "trial", "attempt", "resource")
    return all(same(getattr(a, name), getattr(b, name)) for name in fields) and same(dict(a.body), dict(b.body))


def note(number, **body):
    return Event(Kind.NOTED, float(number), 1e9 + number, body={"number": number, **body})


def numbers(store):
    return [event.body["number"] for event in store.read()]


@settings(max_examples=60)
@given(batches=st.lists(st.lists(events, max_size=4), max_size=4))
def test_what_is_appended_is_read_back_equal_and_in_order(batches):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.db"
        store = Store(path)
        for batch in batches:
            store.append(batch)
        store.close()
        wanted = [event for batch in batches for event in batch]
        again = Store(path)
        found = list(again.read_numbered())
        last = again.last()
        again.close()
    assert [number for number, _ in found] == list(range(1, len(wanted) + 1))
    assert all(same_event(got, event) for (_, got), event in zip(found, wanted, strict=True))
    assert (last is None) if not wanted else same_event(last, wanted[-1])


def test_reading_after_a_number_gives_the_events_above_it(tmp_path):
    store = Store(tmp_path / "events.db")
    store.append([note(i) for i in range(10)])
    assert [(seq, event.body["number"]) for seq, event in store.read_numbered(after=7)] == [(8, 7), (9, 8), (10, 9)]
    assert list(store.read(after=10)) == []


def test_an_event_that_cannot_be_stored_takes_its_whole_batch_with_it(tmp_path):
    store = Store(tmp_path / "events.db")
    store.append([note(0)])
    with pytest.raises(Exception):  # noqa: B017, PT011  a value that is no JSON is a mistake of the caller
        store.append([note(1), note(2, what=object())])
    assert numbers(store) == [0]
    store.append([note(1)])
    assert [seq for seq, _ in store.read_numbered()] == [1, 2]


@pytest.mark.process
def test_a_full_disk_is_one_sentence_and_loses_nothing_acknowledged(tmp_path):
    path = tmp_path / "events.db"
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "fill_disk.py"), str(path), "1000000"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    outcome = json.loads(done.stdout)
    assert outcome["acknowledged"] > 0
    assert outcome["error"] is not None
    assert str(path) in outcome["error"]
    assert "space" in outcome["error"]
    assert "\n" not in outcome["error"]
    assert outcome["readable"] == list(range(outcome["acknowledged"]))
    store = Store(path)
    assert numbers(store) == [*range(outcome["acknowledged"]), -1]


@pytest.mark.process
def test_twenty_kills_at_random_moments_lose_no_acknowledged_event(tmp_path):
    path = tmp_path / "events.db"
    rng = random.Random(7)
    highest = -1
    for _ in range(20):
        writer = subprocess.Popen(
            [sys.executable, str(SCRIPTS / "write_events.py"), str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        time.sleep(rng.uniform(0, 0.06))
        writer.kill()
        lines = writer.stdout.read().splitlines(keepends=True)
        writer.wait()
        writer.stdout.close()
        highest = max([highest, *(int(line) for line in lines if line.endswith("\n"))])
        store = Store(path)
        stored = numbers(store)
        assert stored == list(range(len(stored)))
        assert len(stored) % 2 == 0, "a pair was stored in halves"
        assert len(stored) > highest, "an acknowledged event is lost"
        store.close()
    assert highest > 20, "the writer was never heard: nothing was tested"


def test_a_batch_is_the_first_events_above_a_number_and_lets_go_of_the_file(tmp_path):
    store = Store(tmp_path / "events.db")
    store.append([Event(Kind.NOTED, float(i), 0.0, body={"i": i}) for i in range(1, 8)])
    reader = Store(tmp_path / "events.db", read_only=True)
    assert [(seq, event.body["i"]) for seq, event in reader.read_batch(0, 3)] == [(1, 1), (2, 2), (3, 3)]
    assert [seq for seq, _ in reader.read_batch(5, 100)] == [6, 7]
    assert reader.read_batch(7, 100) == []
    assert store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0), "nobody reads any more"
    reader.close()
    store.close()


def test_a_reader_beside_a_writer_sees_a_growing_prefix_and_never_waits(tmp_path):
    path = tmp_path / "events.db"
    writer = Store(path)
    writer.append([note(0)])
    lengths, failures = [], []
    over = threading.Event()

    def look():
        try:
            while not over.is_set():
                reader = Store(path, read_only=True)
                seen = numbers(reader)
                reader.close()
                assert seen == list(range(len(seen)))
                lengths.append(len(seen))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    for number in range(1, 200):
        writer.append([note(number)])
    over.set()
    thread.join()
    assert failures == []
    assert lengths == sorted(lengths)
    reader = Store(path, read_only=True)
    first = next(iter(reader.read()))  # an open cursor of a reader does not stop the writer
    writer.append([note(200)])
    assert first.body["number"] == 0
    reader.close()
    assert numbers(writer) == list(range(201))


def test_a_reader_cannot_write(tmp_path):
    Store(tmp_path / "events.db").close()
    reader = Store(tmp_path / "events.db", read_only=True)
    with pytest.raises(StoreError) as caught:
        reader.append([note(0)])
    assert "correct the permissions" in blameless(caught.value, tmp_path)


def blameless(error, path):
    """One sentence about a file that has nothing wrong with it: nobody is advised to delete it."""
    assert not isinstance(error, DamageError)
    sentence = one_sentence(error, path)
    assert "overwrite" not in sentence
    assert "away" not in sentence
    return sentence


LOOKING = """
import sys
from pathlib import Path
from hpo.errors import StoreError
from hpo.store.event_store import Store
try:
    print([event.body["number"] for event in Store(Path(sys.argv[1]), read_only=True).read()])
except StoreError as error:
    print(error)
"""


def looked_at_by_others(path):
    """What somebody says of a store who may not write to its directory."""
    for place in (path, *path.parent.iterdir()):
        place.chmod(0o444)
    path.parent.chmod(0o555)
    powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    if powerless and shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and setpriv is not there to take that from it")
    try:
        command = [*powerless, sys.executable, "-c", LOOKING, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    finally:
        path.parent.chmod(0o755)


def left(path, *, mode="delete", empty_log=False):
    """A store of two events that an orderly end left, or one of an earlier version, which was of mode `wal`."""
    store = Store(path)
    store.append([note(0), note(1)])
    store.close()
    other = sqlite3.connect(path)
    assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    other.execute(f"PRAGMA journal_mode={mode}")
    other.close()
    if empty_log:
        path.with_name("events.db-wal").touch()
    return path


@pytest.mark.parametrize("kind", [{}, {"mode": "wal"}, {"mode": "wal", "empty_log": True}])
@pytest.mark.process
def test_who_may_not_write_in_the_directory_can_read_what_was_ended_in_order(tmp_path, kind):
    path = left(tmp_path / "events.db", **kind)
    before = sorted(file.name for file in tmp_path.iterdir())
    assert looked_at_by_others(path) == "[0, 1]"
    assert sorted(file.name for file in tmp_path.iterdir()) == before


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.process
def test_a_log_that_is_not_merged_is_read_by_others_too_or_one_sentence_says_how(tmp_path, index):
    store = Store(tmp_path / "events.db")
    store.append([note(0)])
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in tmp_path.glob("events.db*"):
        if index or not file.name.endswith("-shm"):
            shutil.copyfile(file, folder / file.name)
    store.close()
    said = looked_at_by_others(folder / "events.db")
    if index:
        assert said == "[0]"
    else:
        assert f"copy {folder} to a place of your own" in blameless(StoreError(said), folder)


def test_an_orderly_end_leaves_one_file_and_a_reader_that_has_it_open_goes_on(tmp_path):
    path = tmp_path / "events.db"
    writer = Store(path)
    writer.append([note(0)])
    reader = Store(path, read_only=True)
    assert numbers(reader) == [0]
    writer.close()
    writer = Store(path)
    assert numbers(reader) == [0]
    writer.append([note(1)])
    assert numbers(reader) == [0, 1]
    reader.close()
    writer.close()
    assert [file.name for file in tmp_path.iterdir()] == ["events.db"]
    content = path.read_bytes()
    assert content[18:20] == b"\1\1", "in SQLite's header: to read it no index is needed"
    looking = Store(path)
    assert looking.last() == note(1)
    looking.close()
    assert path.read_bytes() == content, "it was only looked at"


@pytest.fixture
def impatient(monkeypatch):
    """SQLite itself gives up at once."""
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, timeout=0.0))


def holding(path):
    """A reader in the middle of its reading."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN")
    assert other.execute("SELECT count(*) FROM events").fetchone() is not None
    return other


@pytest.mark.usefixtures("impatient")
def test_on_a_network_a_reader_that_holds_the_file_is_waited_for(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("hpo.store.event_store.on_network", lambda _: True)
    path = tmp_path / "events.db"
    writer = Store(path)
    writer.append([note(0)])
    reader = holding(path)
    monkeypatch.setattr(sqlite_file.time, "sleep", lambda _: reader.close())  # it is done while the writer waits
    writer.append([note(1), note(2)])
    assert "another program holds it" in caplog.text
    writer.close()
    assert all_of(path) == [0, 1, 2]


@pytest.mark.usefixtures("impatient")
def test_on_a_network_a_reader_that_never_ends_is_one_sentence_and_loses_nothing_acknowledged(tmp_path, monkeypatch):
    monkeypatch.setattr("hpo.store.event_store.on_network", lambda _: True)
    monkeypatch.setattr(sqlite_file, "PATIENCE", 0.0)
    path = tmp_path / "events.db"
    writer = Store(path)
    writer.append([note(0)])
    reader = holding(path)
    with pytest.raises(StoreError) as caught:
        writer.append([note(1, text="x" * 9000)] * 1000)  # more than SQLite's cache holds
    sentence = blameless(caught.value, path)
    assert "another program has held the file" in sentence
    assert "disk space" not in sentence
    reader.close()
    writer.append([note(1)])
    assert numbers(writer) == [0, 1]


@pytest.mark.usefixtures("impatient")
def test_a_session_that_begins_beside_a_reader_goes_without_the_log_that_it_cannot_have(tmp_path, monkeypatch):
    path = left(tmp_path / "events.db")
    writer = Store(path)
    reader = holding(path)
    monkeypatch.setattr(sqlite_file.time, "sleep", lambda _: reader.close())
    writer.append([note(2)])
    assert writer._db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert writer._db.execute("PRAGMA synchronous").fetchone() == (3,), "the removal of a journal must last, too"
    assert numbers(writer) == [0, 1, 2]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("read_only", [True, False])
def test_a_store_that_is_busy_is_not_said_to_be_broken(tmp_path, read_only):
    path = left(tmp_path / "events.db")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError) as caught:
        list(Store(path, read_only=read_only).read())
    assert "another program holds it" in blameless(caught.value, path)
    other.close()
    assert all_of(path) == [0, 1]


def test_a_zero_length_file_is_an_empty_store(tmp_path):
    path = tmp_path / "events.db"
    path.touch()
    assert list(Store(path, read_only=True).read()) == []
    store = Store(path)
    assert store.last() is None
    store.append([note(0)])
    assert numbers(store) == [0]


def all_of(path):
    store = Store(path)
    try:
        return numbers(store)
    finally:
        store.close()


def one_sentence(error, path):
    sentence = str(error)
    assert str(path) in sentence
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    "content", [random.Random(1).randbytes(64), random.Random(2).randbytes(100_000), b"trial,loss\n0,1.5\n" * 100]
)
def test_a_file_that_is_no_database_is_one_sentence_with_the_remedy(tmp_path, content, read_only):
    path = tmp_path / "events.db"
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        list(Store(path, read_only=read_only).read())
    sentence = one_sentence(caught.value, path)
    assert "overwrite=true" in sentence
    assert "move" in sentence
    assert path.read_bytes() == content, "what the user has is left as it is"


def test_another_program_s_database_is_one_sentence(tmp_path):
    path = tmp_path / "events.db"
    other = sqlite3.connect(path)
    other.executescript("CREATE TABLE events (a); INSERT INTO events VALUES (1);")
    other.close()
    with pytest.raises(StoreError) as caught:
        list(Store(path).read())
    one_sentence(caught.value, path)


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_a_torn_file_is_one_sentence_with_the_remedy(tmp_path, keep):
    path = tmp_path / "events.db"
    store = Store(path)
    store.append([note(i, text="x" * 500) for i in range(200)])
    store.close()
    os.truncate(path, int(path.stat().st_size * keep))
    with pytest.raises(StoreError) as caught:
        all_of(path)
    assert "overwrite=true" in one_sentence(caught.value, path)


def test_damage_in_the_middle_of_a_body_is_one_sentence(tmp_path):
    path = tmp_path / "events.db"
    store = Store(path)
    store.append([note(i, text="abcdefgh" * 50) for i in range(50)])
    store.close()
    damaged = bytearray(path.read_bytes())
    middle = damaged.index(b'{"number":25')
    damaged[middle : middle + 8] = bytes(8)
    path.write_bytes(damaged)
    with pytest.raises(StoreError) as caught:
        all_of(path)
    one_sentence(caught.value, path)


@settings(max_examples=40)
@example(seed=606)  # SQLite's own message then is not UTF-8
@given(seed=st.integers(0, 2**32 - 1))
def test_random_damage_is_a_store_error_or_harmless_and_nothing_else(seed):
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.db"
        store = Store(path)
        store.append([note(i, text="x" * 100) for i in range(50)])
        store.close()
        damaged = bytearray(path.read_bytes())
        for _ in range(rng.choice([1, 10, 1000])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            all_of(path)
        except StoreError as error:
            one_sentence(error, path)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_later_schema_is_refused_and_names_the_update(tmp_path, read_only):
    path = tmp_path / "events.db"
    store = Store(path)
    store.append([note(0)])
    store.close()
    later = sqlite3.connect(path)
    later.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    later.close()
    with pytest.raises(StoreError) as caught:
        Store(path, read_only=read_only)
    assert "update hpo" in one_sentence(caught.value, path)


@pytest.mark.parametrize("version", [0, 1])
def test_a_version_that_lost_a_bit_loses_no_event_and_no_check_sum(tmp_path, version):
    path = tmp_path / "events.db"
    store = Store(path)
    store.append([note(0), note(1)])
    store.close()
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version = {version}")
    other.close()
    for read_only in (True, False):
        store = Store(path, read_only=read_only)
        assert list(store.read()) == [note(0), note(1)]
        store.close()
    other = sqlite3.connect(path)
    other.execute("UPDATE events SET elapsed = 5.0 WHERE seq = 2")
    other.commit()
    other.close()
    with pytest.raises(StoreError, match="event 2 is not what was written"):
        all_of(path)


def test_a_store_in_a_missing_folder_is_one_sentence(tmp_path):
    path = tmp_path / "nowhere" / "events.db"
    for read_only in (False, True):
        with pytest.raises(StoreError) as caught:
            Store(path, read_only=read_only)
        assert f"see that {path.parent} is there" in blameless(caught.value, path)


def test_events_are_on_the_disk_before_append_returns(tmp_path):
    """WAL and synchronous=FULL: SQLite then syncs the log at each commit."""
    store = Store(tmp_path / "events.db")
    store.append([note(0)])
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)
    log = tmp_path / "events.db-wal"
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in (tmp_path / "events.db", log):
        (copy / file.name).write_bytes(file.read_bytes())
    assert all_of(copy / "events.db") == [0]


def test_the_views_show_reports_and_trials(tmp_path):
    store = Store(tmp_path / "events.db")
    store.append([
        Event(Kind.STARTED, 1.0, 2.0, trial=0, attempt=0, body={"configuration": {"x": 1}, "until": None}),
        Event(Kind.REPORTED, 3.0, 4.0, 0, 0, 5, {"metrics": {"loss": 0.5}, "decision": "STOP", "position": 9}),
    ])  # fmt: skip
    store.close()
    database = sqlite3.connect(tmp_path / "events.db")
    assert database.execute("SELECT trial, resource, decision, metrics FROM reports").fetchall() == [
        (0, 5, "STOP", '{"loss":0.5}')
    ]
    assert database.execute("SELECT trial, configuration FROM trials").fetchall() == [(0, '{"x":1}')]
    database.close()


def test_the_views_show_reports_that_are_no_finite_numbers(tmp_path):
    store = Store(tmp_path / "events.db")
    metrics = {"loss": math.nan, "other": math.inf}
    store.append([Event(Kind.REPORTED, 3.0, 4.0, 0, 0, 1, {"metrics": metrics, "decision": "CONTINUE", "position": 9})])
    store.close()
    database = sqlite3.connect(tmp_path / "events.db")
    assert database.execute("SELECT trial, resource, decision FROM reports").fetchall() == [(0, 1, "CONTINUE")]
    database.close()


def test_a_local_folder_is_not_on_a_network(tmp_path):
    kinds = {line.partition(" - ")[2].split()[0] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    if not kinds & {"nfs", "nfs4", "cifs", "9p", "ceph", "lustre"}:
        assert not on_network(tmp_path)
    assert not on_network(Path("/proc"))


def test_only_the_first_command_makes_a_store_one_that_earlier_versions_refuse(tmp_path):
    path = tmp_path / "events.db"

    def version():
        with contextlib.closing(sqlite3.connect(path)) as database:
            return database.execute("PRAGMA user_version").fetchone()[0]

    body = {"id": "1", "command": "hold", "arguments": {}, "by": "me", "accepted": True}
    with contextlib.closing(Store(path)) as store:
        store.append([note(0)])
        assert version() == 2
        store.append([Event(Kind.COMMANDED, 1.0, 1.0, body=body)])
        assert version() == 3
    with contextlib.closing(Store(path)) as store:
        store.append([note(2)])
        assert [event.kind for event in store.read()] == [Kind.NOTED, Kind.COMMANDED, Kind.NOTED]
    assert version() == 3
