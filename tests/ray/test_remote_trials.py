"""Which checkpoint in the storage a trial goes on from, told by what slots say."""

import json
import time
from types import SimpleNamespace

import pytest

from hpo.config.reading import load_config, resolve
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Exit, Kind, Report
from hpo.ray.messages import CheckpointMissing, CheckpointSaved, CopiesEnded, LogEnd, ReportPiece, Restore
from hpo.ray.remote_trials import StoredTrials
from hpo.ray.storage import CheckpointStorage
from hpo.store.directory import ExperimentDirectory

pytest.importorskip("obstore", reason="obstore is not installed here; it comes with the extra `dev`")

LINE = json.dumps({"epoch": 1, "loss": 0.5}) + "\n"


@pytest.fixture
def place(tmp_path):
    """An experiment's directory, its storage, and what takes in from slots."""
    config = resolve(load_config("mlp_digits", "RS", experiment_tag="t", random_seed=1))
    storage = CheckpointStorage(f"file://{tmp_path}/storage")
    files = ExperimentDirectory(tmp_path / "experiment")
    place = SimpleNamespace(files=files, storage=storage, config=config)
    place.open = lambda: StoredTrials(config, files, storage)
    return place


def reports(stored, start, content):
    return list(stored.take_in(ReportPiece(3, 0, start, content.encode())))


def saved(stored, key, position, size, attempt=0, digest=None):
    stored.take_in(CheckpointSaved(3, attempt, key, position, size, digest))


def save(place, stored, name, position, attempt=0):
    key = f"{stored.begin(3, attempt).root if name == 'first' else place.root}3/{attempt:05d}-{name}.tar"
    place.root = key.rpartition("3/")[0]
    place.storage.put(key, name.encode())
    saved(stored, key, position, len(name), attempt)
    return key


def settle(stored):
    """Wait until all is removed that was to be."""
    stored._worker.submit(lambda: None).result()


def test_bytes_become_the_file_of_a_local_run_and_its_events(place):
    stored = place.open()
    stored.begin(3, 0)
    assert reports(stored, 0, LINE[:7]) == []
    (report,) = reports(stored, 7, LINE[7:])
    assert report == Report(3, 0, {"epoch": 1, "loss": 0.5}, len(LINE))
    assert reports(stored, 0, LINE) == [], "what is here already is not taken in again"
    odd = b'{"text": "\xff\xc3"}\n'
    (other,) = stored.take_in(ReportPiece(3, 0, len(LINE), odd))
    assert other.position == len(LINE) + len(odd)
    stored.take_in(LogEnd(3, 0, "stderr.log", b"Traceback"))
    folder = place.files.attempt(3, 0)
    assert (folder / "reports.jsonl").read_bytes() == LINE.encode() + odd
    (end,) = stored.over(1, Exit(3, 0, 1, error="Traceback", log=folder / "elsewhere"))
    assert end.log == folder / "stderr.log"
    assert end.log.read_text() == "Traceback"


def test_a_trial_goes_on_from_the_latest_whose_reports_are_here(place):
    stored = place.open()
    first = save(place, stored, "first", 0)
    save(place, stored, "second", len(LINE))
    assert stored.newest(3).key == first, "a report lies behind the second that is not here"
    reports(stored, 0, LINE)
    assert stored.newest(3).key.endswith("second.tar")
    assert stored.size(3) == len("second")


def test_the_last_two_are_kept_and_a_later_attempt_counts_as_later(place):
    stored = place.open()
    for name in ("first", "second", "third"):
        save(place, stored, name, 0)
    stored.begin(3, 1)
    save(place, stored, "again", 0, attempt=1)
    settle(stored)
    assert [key.rpartition("/")[2] for key in sorted(place.storage.sizes(place.root))] == [
        "00000-third.tar",
        "00001-again.tar",
    ]
    assert stored.newest(3).key.endswith("00001-again.tar")


def test_a_trial_waits_until_its_last_checkpoint_is_stored_or_its_slot_is_lost(place):
    stored = place.open()
    for end in (lambda: stored.take_in(CopiesEnded(3, 0, whole=True)), lambda: stored.lose(5, None)):
        stored.begin(3, 0)
        stored.over(5, Exit(3, 0, 0))
        assert stored.copying(3)
        end()
        assert not stored.copying(3)


def test_what_nobody_needs_is_removed_also_when_it_comes_late(place):
    stored = place.open()
    save(place, stored, "first", 0)
    stored.forget(3)
    save(place, stored, "second", 0)
    settle(stored)
    assert place.storage.sizes(place.root) == {}
    assert stored.newest(3) is None
    assert stored.begin(3, 1).key is None


def state_with(place, status="paused"):
    state = ExperimentState(place.config.objective)
    state.apply(Event(Kind.OPENED, 0.0, 5.0, body={"n_workers": 1}))
    state.apply(Event(Kind.STARTED, 0.0, 5.0, 3, 0, body={"configuration": {"x": 0.5}, "until": 1}))
    state.apply(
        Event(
            Kind.REPORTED,
            1.0,
            6.0,
            3,
            0,
            1,
            {"metrics": {"accuracy": 0.5, "epoch": 1}, "decision": "PAUSE", "position": 0},
        )
    )
    state.apply(Event(Kind.ENDED, 1.0, 6.0, 3, 0, body={"status": status}))
    return state


def test_a_later_session_finds_them_and_removes_what_no_session_knows(place, caplog):
    stored = place.open()
    stored.go_on(state_with(place))
    first = save(place, stored, "first", 0)
    place.storage.put(f"{place.root}3/00000-of-a-killed-session.tar", b"late")
    stored.close()
    again = place.open()
    again.go_on(state_with(place))
    settle(again)
    assert again.begin(3, 1).key == first
    assert set(place.storage.sizes(place.root)) == {first}
    place.storage.remove([first])
    other = place.open()
    other.go_on(state_with(place))
    assert "no checkpoint of trial(s) 3 is in the storage: they start over" in caplog.text


def test_what_a_run_without_storage_has_left_is_stored(place, tmp_path):
    checkpoint = place.files.checkpoint(3)
    checkpoint.mkdir(parents=True)
    (checkpoint / "epoch").write_text("1")
    place.files.attempt(3, 0).mkdir()
    stored = place.open()
    stored.go_on(state_with(place))
    key = stored.begin(3, 1).key
    assert key is not None
    place.storage.get(key, tmp_path / "archive.tar")
    assert b"checkpoint/epoch" in (tmp_path / "archive.tar").read_bytes()


def test_the_end_does_not_wait_for_every_removal_that_a_storage_does_not_answer(place, monkeypatch):
    stored = place.open()
    asked = []

    def remove(_, keys):
        asked.append(keys)
        time.sleep(0.2)  # stands for the patience with a storage
        raise OSError("nobody answers")

    monkeypatch.setattr(CheckpointStorage, "remove", remove)
    for number in range(20):
        stored._remove([f"key {number}"])
    time.sleep(0.3)
    stored.close()
    assert len(asked) <= 3, "the one that failed, and those that were begun before the end"


def test_what_the_running_attempt_was_given_is_known_once_its_copy_is_there(place):
    """Its resource is what had been reported when it was made."""
    stored = place.open()
    attribute = place.config.objective.resource_attr
    lines = [json.dumps({attribute: epoch, "accuracy": 0.5}) + "\n" for epoch in (1, 2)]
    stored.begin(3, 0)
    reports(stored, 0, "".join(lines))
    stored.over(5, Exit(3, 0, 0))
    assert stored.restored(3) is None, "its first attempt was given none"
    save(place, stored, "first", len(lines[0]))
    stored.take_in(CopiesEnded(3, 0, whole=True))
    stored.begin(3, 1)
    assert stored.restored(3) == 1


def test_a_checkpoint_that_never_came_to_the_storage_is_known_to_be_lost_until_the_next_one_has(place):
    stored = place.open()
    for lose in (
        lambda: stored.take_in(CopiesEnded(3, 0, whole=False)),
        lambda: stored.take_in(CheckpointMissing(3, place.root + "3/gone.tar")),
        lambda: stored.lose(5, 3),
    ):
        save(place, stored, "first", 0)
        stored.take_in(CopiesEnded(3, 0, whole=True))
        assert not stored.lost(3)
        lose()
        assert stored.lost(3)


def test_the_digest_of_a_checkpoint_is_kept_with_it_and_one_of_an_earlier_version_has_none(place):
    stored = place.open()
    stored.go_on(state_with(place))
    first = save(place, stored, "first", 0)
    second = f"{place.root}3/00000-second.tar"
    place.storage.put(second, b"second")
    saved(stored, second, 0, 6, digest="d1")
    for known in (stored, place.open()):
        known.go_on(state_with(place))
        assert known.begin(3, 1) == Restore(place.root, second, "d1")
        known.take_in(CheckpointMissing(3, second))
        assert known.begin(3, 1) == Restore(place.root, first)
