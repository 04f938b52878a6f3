"""A store whose file is removed, replaced or truncated under it has all events again, or says why it cannot."""

import contextlib
import os
import shutil
from pathlib import Path

import pytest

from hpo.errors import StoreError
from hpo.events.types import Event, Kind
from hpo.store.event_store import Store
from hpo.store.guarded_store import GuardedStore


def note(number, text="x"):
    return Event(Kind.NOTED, float(number), 1e9 + number, body={"text": f"{text}{number}"})


def read(path):
    """What a reader finds, as texts."""
    with contextlib.closing(Store(path, read_only=True)) as store:
        return [event.body["text"] for event in store.read()]


def texts(count):
    return [f"x{number}" for number in range(count)]


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "seed_0"
    folder.mkdir()
    return folder / "events.db"


def remove(path):
    for part in path.parent.glob("events.db*"):
        part.unlink()


def remove_the_log_alone(path):
    Path(f"{path}-wal").unlink()


def replace_by_another_store(path):
    other = path.with_name("other.db")
    with contextlib.closing(Store(other)) as store:
        store.append([note(7, "foreign")])
    remove(path)
    other.rename(path)


def replace_by_text(path):
    remove(path)
    path.write_text("not a database at all")


def truncate(path):
    os.truncate(path, 0)
    os.truncate(f"{path}-wal", 0)


def overwrite_with_an_older_copy(path):
    """Its own inode keeps its name: `cp backup events.db`."""
    shutil.copyfile(path.with_name("backup"), path)
    Path(f"{path}-wal").write_bytes(b"")


HARM = [
    remove,
    remove_the_log_alone,
    replace_by_another_store,
    replace_by_text,
    truncate,
    overwrite_with_an_older_copy,
]


def harmed(path, harm):
    """A guarded store with five events whose file was then harmed."""
    with contextlib.closing(Store(path)) as store:
        store.append([note(0)])
    shutil.copyfile(path, path.with_name("backup"))
    store = GuardedStore(path)
    for number in range(1, 5):
        store.append([note(number)])
    harm(path)
    return store


@pytest.mark.parametrize("harm", HARM)
def test_after_the_next_commit_a_reader_finds_all_events_and_it_is_said_once(path, harm, caplog):
    with contextlib.closing(harmed(path, harm)) as store:
        store.append([note(5)])
        assert read(path) == texts(6)
        store.append([note(6)])
        assert read(path) == texts(7)
    assert read(path) == texts(7)
    if harm is overwrite_with_an_older_copy:
        return  # SQLite's log may have held all of it
    (said,) = [message for message in caplog.messages if "while the experiment ran" in message]
    assert said.startswith(f"{path}: was ")
    assert "events are written again" in said


@pytest.mark.parametrize("harm", HARM)
def test_what_is_lost_before_the_end_is_there_once_it_is_closed(path, harm):
    store = harmed(path, harm)
    store.close()
    assert read(path) == texts(5)


def test_reading_brings_it_back_too(path):
    with contextlib.closing(harmed(path, remove)) as store:
        assert [event.body["text"] for event in store.read(after=2)] == ["x2", "x3", "x4"]
        assert read(path) == texts(5)


def test_what_stood_in_its_place_is_kept_under_another_name(path, caplog):
    with contextlib.closing(harmed(path, replace_by_text)) as store:
        store.append([note(5)])
    (kept,) = path.parent.glob("events.db.damaged-*")
    assert kept.read_text() == "not a database at all"
    assert kept.name in caplog.text


def test_more_events_than_are_packed_together_come_back_in_order_and_equal(path, monkeypatch):
    monkeypatch.setattr("hpo.store.guarded_store._PACKED", 3)
    with contextlib.closing(GuardedStore(path)) as store:
        for number in range(8):
            store.append([note(number)])
        remove(path)
        store.append([note(8), note(9)])
    with contextlib.closing(Store(path, read_only=True)) as there:
        assert [(e.kind, e.elapsed, e.time, dict(e.body)) for e in there.read()] == [
            (e.kind, e.elapsed, e.time, dict(e.body)) for e in map(note, range(10))
        ]


def test_a_store_that_nobody_touched_is_never_written_again(path, caplog):
    with contextlib.closing(GuardedStore(path)) as store:
        for number in range(50):
            store.append([note(number)])
            read(path)  # a reader makes files beside it and leaves some behind
        before = path.stat().st_ino
        list(store.read())
    assert path.stat().st_ino == before
    assert read(path) == texts(50)
    assert not caplog.messages


def test_one_that_keeps_no_copy_says_what_was_done_to_its_file_and_what_to_do(path):
    store = GuardedStore(path, keep=False)
    store.append([note(0)])
    remove(path)
    with pytest.raises(
        StoreError, match=r"events\.db: was removed while the experiment ran; run the same command again"
    ):
        store.append([note(1)])


@pytest.mark.parametrize("again", [False, True])
def test_a_folder_that_is_gone_is_named_even_if_another_has_its_name_since(path, again):
    store = GuardedStore(path)
    store.append([note(0)])
    folder = path.parent
    folder.rename(folder.with_name("moved"))
    if again:
        folder.mkdir()
    with pytest.raises(StoreError) as caught:
        store.append([note(1)])
    assert str(caught.value).startswith(f"{folder}: the folder is gone")
    assert not again or not list(folder.iterdir())
    store.close()
