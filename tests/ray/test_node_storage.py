"""A slot's own disk: what comes there, and what is said where it cannot."""

import io
import os
import subprocess
import sys
import tarfile
import time

import pytest

from hpo.backends.checkpoint_archive import digest_of, pack, stamps
from hpo.config.schema import BenchmarkConfig
from hpo.errors import BackendError
from hpo.events.types import Exit, Report
from hpo.ray.actor import SlotOpening
from hpo.ray.messages import CheckpointMissing, CopiesEnded, LogEnd, ReportPiece, Restore, StartAttempt
from hpo.ray.node_storage import ApartTrials, scratch_folder, unpack_code
from hpo.ray.storage import CheckpointStorage
from hpo.store.directory import ExperimentDirectory

pytest.importorskip("obstore", reason="obstore is not installed here; it comes with the extra `dev`")


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))


def archive_with(**files):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return target.getvalue()


def test_code_is_unpacked_once_for_all_slots_of_a_node():
    folder = unpack_code(archive_with(script="1"), "digest")
    assert (folder / "script").read_text() == "1"
    assert folder.parent.stat().st_mode & 0o077 == 0, "nobody else may put code there"
    assert unpack_code(b"", "digest") == folder
    assert unpack_code(archive_with(script="2"), "other") != folder


def test_code_that_no_slot_has_begun_with_for_a_month_is_removed():
    forgotten, used = (unpack_code(archive_with(script=name), name) for name in ("forgotten", "used"))
    for folder in (forgotten, used):
        os.utime(folder, times=(time.time() - 31 * 86400,) * 2)
    unpack_code(b"", "used")
    unpack_code(archive_with(script="new"), "new")
    assert (forgotten.exists(), used.exists()) == (False, True)


@pytest.mark.process
def test_a_new_slot_removes_what_slots_have_left_that_are_gone(tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = tmp_path / "tmp" / f"hpo-slot-{os.getuid()}-{int(gone.stdout)}"
    alive = tmp_path / "tmp" / f"hpo-slot-{os.getuid()}-{os.getppid()}"
    for folder in (left, alive):
        folder.mkdir()
    made = scratch_folder()
    assert made.is_dir()
    assert (left.exists(), alive.exists()) == (False, True)


def test_a_node_without_room_says_so_in_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    for make in (scratch_folder, lambda: unpack_code(archive_with(script="1"), "digest")):
        with pytest.raises(BackendError) as raised:
            make()
        assert "cannot be written to (" in str(raised.value)
        assert str(raised.value).endswith("make room there, or start its Ray with TMPDIR set to another folder")
        assert "\n" not in str(raised.value)


class Place:
    """Trials of one slot, and what they tell."""

    def __init__(self, folder):
        self.told = []
        self.files = ExperimentDirectory(folder / "slot")
        self.files.path.mkdir()
        self.storage = CheckpointStorage(f"file://{folder}/storage")
        of_nodes = {"config": {}, "directory": "", "nonce": "", "cwd": "", "python": "", "hpo": "", "files": {}}
        storage = {"storage": self.storage.url, "proof": "proof", "sync_seconds": 60.0}
        self.given = SlotOpening(**of_nodes, environment={}, **storage)

    def open(self):
        return ApartTrials(self.files, BenchmarkConfig(), self.given, name="s", tell=self.told.extend)


def order(attempt, key=None, digest=None):
    return StartAttempt(0, 3, {}, attempt, None, Restore("root/", key, digest))


def test_a_storage_that_a_node_has_otherwise_is_one_sentence(tmp_path):
    with pytest.raises(BackendError) as raised:
        Place(tmp_path).open()
    assert str(raised.value).startswith(f"backend.storage=file://{tmp_path}/storage: it is not there what it is here")
    assert "\n" not in str(raised.value)


def test_an_attempt_s_reports_logs_end_and_checkpoint_are_told_in_that_order(tmp_path):
    place = Place(tmp_path)
    place.storage.put("proof", b"")
    trials = place.open()
    assert trials.begin(order(0))
    folder, checkpoint = place.files.attempt(3, 0), place.files.checkpoint(3)
    folder.mkdir()
    checkpoint.mkdir()
    odd = b'{"epoch": 1, "text": "\xff"}\n'
    (folder / "reports.jsonl").write_bytes(odd)
    trials.take_in(Report(3, 0, {"epoch": 1}, len(odd)))
    (folder / "stdout.log").write_text("said")
    (checkpoint / "epoch").write_text("1")
    trials.take_in(Exit(3, 0, 0))
    trials.close()
    reports, log, end, saved, copied = place.told
    assert reports == ReportPiece(3, 0, 0, odd)
    assert log == LogEnd(3, 0, "stdout.log", b"said")
    assert end == Exit(3, 0, 0)
    assert saved.key == "root/3/00000-s-000001.tar"
    assert saved.position == len(odd)
    assert copied == CopiesEnded(3, 0, whole=True)
    assert not place.files.path.exists()
    for name, digest in (("next", saved.digest), ("earlier version", None)):
        (tmp_path / name).mkdir()
        again = Place(tmp_path / name)
        again.storage, again.given = place.storage, place.given
        other = again.open()
        assert other.begin(order(1, saved.key, digest))
        assert (again.files.checkpoint(3) / "epoch").read_text() == "1"
        other.close()


def test_a_checkpoint_that_is_gone_costs_an_attempt_and_not_the_slot(tmp_path):
    place = Place(tmp_path)
    place.storage.put("proof", b"")
    trials = place.open()
    assert not trials.begin(order(1, "root/3/gone.tar"))
    missing, end = place.told
    assert missing == CheckpointMissing(3, "root/3/gone.tar")
    assert (type(end), end.attempt, end.lost) == (Exit, 1, True)


@pytest.mark.parametrize("how", ["a byte of the checkpoint", "all of it"])
def test_a_checkpoint_that_was_damaged_in_the_storage_is_not_resumed_from_and_that_is_one_line(tmp_path, caplog, how):
    place = Place(tmp_path)
    place.storage.put("proof", b"")
    archive = tmp_path / "checkpoint.tar"
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "weights").write_bytes(bytes(1000))
    pack(tmp_path / "saved", stamps(tmp_path / "saved"), archive)
    digest, content = digest_of(archive), bytearray(archive.read_bytes())
    if how == "all of it":
        content, digest = bytearray(b"no archive" * 100), None  # nor is there a digest
    else:
        content[600] ^= 1  # of the weights: the archive itself is read without an error
    place.storage.put("root/3/a.tar", bytes(content))
    assert not place.open().begin(order(1, "root/3/a.tar", digest))
    missing, end = place.told
    assert missing == CheckpointMissing(3, "root/3/a.tar")
    assert end.lost
    assert "\n" not in caplog.messages[0]
    assert "\n" not in end.error


def test_a_storage_that_does_not_answer_costs_an_attempt_and_the_loss_names_it(tmp_path, monkeypatch):
    place = Place(tmp_path)
    place.storage.put("proof", b"")
    trials = place.open()

    def get(*_):
        raise OSError("nobody answers")

    monkeypatch.setattr(CheckpointStorage, "get", get)
    assert not trials.begin(order(1, "root/3/a.tar"))
    (end,) = place.told
    assert (type(end), end.lost) == (Exit, True)
    assert end.error == (
        f"trial 3: its checkpoint root/3/a.tar cannot be had (backend.storage={place.storage.url}: nobody answers)"
    )
