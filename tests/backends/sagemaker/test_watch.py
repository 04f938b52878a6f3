"""What jobs write to S3 is handed on in order, once, and removed when nobody can need it."""

import json
import queue

import pytest

from hpo.backends.sagemaker import watch
from hpo.backends.sagemaker.places import JobPlaces
from hpo.backends.sagemaker.watch import Ended, Gone, Piece, ReportWatch, Silent, Torn
from tests.backends.sagemaker.test_backend import account, service  # noqa: F401  fixtures
from tests.launchers.sagemaker.test_launcher import needs_service

pytestmark = [*needs_service, pytest.mark.process]


@pytest.fixture
def watching(account, request):  # noqa: F811
    """(watch, its messages, writes of an attempt's job)."""
    places, told, s3 = JobPlaces(f"watch/{request.node.name}"), queue.SimpleQueue(), account.client("s3")
    made = ReportWatch(s3=s3, bucket="bucket", places=places, seconds=0.05, silence=0.5, tell=told.put)

    def write(name, start, data=None):
        key = places.piece(name, start, start + len(data)) if data is not None else f"{places.live}{name}/{start}"
        s3.put_object(Bucket="bucket", Key=key, Body=data or b"")

    def end(name, size):
        record = {"bytes": size, "logs": [], "checkpoints": []}
        s3.put_object(Bucket="bucket", Key=places.end(name), Body=json.dumps(record).encode())

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
    made.job_ended("a", {"TrainingJobStatus": "Failed"})
    assert told.get(timeout=10) == Piece("a", b"abc")
    assert told.get(timeout=10) == Gone("a", {"TrainingJobStatus": "Failed"})


def test_what_was_handed_on_and_what_comes_late_is_removed_and_the_rest_stays(watching, account, request, monkeypatch):  # noqa: F811
    monkeypatch.setattr(watch, "KEPT", 0.0)
    monkeypatch.setattr(watch, "MANY", 2)
    made, told, write, _ = watching
    write("lost", 0, b"late")
    write("unknown", 0, b"of another session")
    write("a", 0, b"abc")
    made.add("lost", 0)
    made.remove("lost")
    made.add("a", 0)
    assert told.get(timeout=10) == Piece("a", b"abc")
    left = None
    while left != ["unknown/000000000000000-000000000000018"]:
        left = sorted(account.objects(f"watch/{request.node.name}/live/"))
    assert all(isinstance(told.get(), Silent) for _ in range(told.qsize()))
