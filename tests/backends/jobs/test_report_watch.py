"""What jobs write is handed on in order, once, and removed when nobody can need it; on a shared folder."""

import queue

import pytest

from hpo.backends.jobs import report_watch
from hpo.backends.jobs.folder_place import FolderPlace
from hpo.backends.jobs.messages import Begun, Ended, Gone, Piece, Silent, Torn
from hpo.backends.jobs.object_names import ObjectNames
from hpo.backends.jobs.outcome import AttemptOutcome
from hpo.backends.jobs.protocols import Intervals, JobPhase, JobStatus
from hpo.backends.jobs.report_watch import ReportWatch
from hpo.events.types import Exit

NAMES = ObjectNames("")
GONE = JobStatus(JobPhase.ENDED, "the machine burnt")


@pytest.fixture
def place(tmp_path):
    return FolderPlace(tmp_path)


@pytest.fixture
def watching(place):
    """(watch, its messages, writes of an attempt's job)."""
    told, intervals = queue.SimpleQueue(), Intervals(look=0.05, silence=0.5, refusal=1.0, checkpoint=1.0)
    made = ReportWatch(place=place, names=NAMES, intervals=intervals, tell=told.put)

    def write(name, start, data):
        place.write(NAMES.piece(name, start, start + len(data)), data)

    def end(name, size):
        place.write(NAMES.end(name), AttemptOutcome(Exit(0, 0, 0), False, size).to_json())

    yield made, told, write, end
    made.close()


def test_pieces_come_in_order_and_the_end_after_all_of_them(watching):
    made, told, write, end = watching
    write("a", 3, b"def")
    end("a", 9)
    write("a", 6, b"ghi")
    made.add("a", 0)
    with pytest.raises(queue.Empty):
        told.get(timeout=0.2)
    write("a", 0, b"abc")
    assert [told.get(timeout=10).data for _ in range(3)] == [b"abc", b"def", b"ghi"]
    assert isinstance(told.get(timeout=10), Ended)


def test_reading_begins_in_the_midst_of_a_piece(watching):
    made, told, write, _ = watching
    write("a", 0, b"abcdef")
    made.add("a", 4)
    assert told.get(timeout=10) == Piece("a", b"ef")


def test_what_is_missing_for_long_makes_the_attempt_lost(watching):
    made, told, write, _ = watching
    write("a", 3, b"def")
    made.add("a", 0)
    said = [told.get(timeout=10)]
    while isinstance(said[-1], Silent):
        said.append(told.get(timeout=10))
    assert said[-1] == Torn("a")


def test_a_silent_job_is_asked_about_and_what_it_wrote_last_comes_before_its_end(watching):
    made, told, write, _ = watching
    made.add("a", 0)
    assert told.get(timeout=10) == Silent("a")
    write("a", 0, b"abc")
    made.note_end_of_job("a", GONE)
    assert told.get(timeout=10) == Piece("a", b"abc")
    assert told.get(timeout=10) == Gone("a", GONE)


def test_what_was_handed_on_and_what_comes_late_is_removed_and_the_rest_stays(watching, place, monkeypatch):
    monkeypatch.setattr(report_watch, "KEPT", 0.0)
    monkeypatch.setattr(report_watch, "MANY", 2)
    made, told, write, _ = watching
    write("lost", 0, b"late")
    write("unknown", 0, b"of another session")
    write("a", 0, b"abc")
    made.add("lost", 0)
    made.remove("lost")
    made.add("a", 0)
    assert told.get(timeout=10) == Piece("a", b"abc")
    left = None
    while left != ["live/unknown/000000000000000-000000000000018"]:
        left = sorted(item.key for item in place.list("live/"))
    assert all(isinstance(told.get(), Silent) for _ in range(told.qsize()))


def test_the_job_of_a_queued_attempt_is_told_to_have_begun_before_its_reports(watching, place):
    made, told, write, _ = watching
    made.add("a", 0, queued=True)
    assert told.get(timeout=10) == Silent("a")
    place.write(NAMES.beginning("a"), b"n1")
    write("a", 0, b"abc")
    assert [told.get(timeout=10), told.get(timeout=10)] == [Begun("a", "n1"), Piece("a", b"abc")]
