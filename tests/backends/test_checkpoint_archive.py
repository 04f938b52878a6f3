"""A checkpoint's archive: never a file that is just being written."""

import os
import tarfile
import threading
import time

import pytest

from hpo.backends.checkpoint_archive import pack_whole


@pytest.fixture
def place(tmp_path):
    """(folder of a checkpoint, reports written after it)."""
    folder, reports = tmp_path / "checkpoint", tmp_path / "reports.jsonl"
    folder.mkdir()
    (folder / "model.pt").write_text("epoch 1")
    (folder / "done").touch()
    time.sleep(0.05)
    reports.write_text("{}\n")
    time.sleep(0.05)
    return folder, reports


def content_of(archive):
    with tarfile.open(archive) as source:
        return {member.name: source.extractfile(member).read() for member in source.getmembers()}


def test_an_empty_file_that_stays_empty_is_part_of_it_and_waited_for_once(place, tmp_path, monkeypatch):
    folder, reports = place
    archive = tmp_path / "0.tar"
    packed = pack_whole(folder, archive, known={}, reports=[reports], final=False)
    assert content_of(archive) == {"checkpoint/model.pt": b"epoch 1", "checkpoint/done": b""}
    (folder / "model.pt").write_text("epoch 2")
    time.sleep(0.05)
    reports.write_text("{}\n{}\n")
    monkeypatch.setattr("hpo.backends.checkpoint_archive.CUT", 600.0)  # would never end
    time.sleep(0.05)
    assert pack_whole(folder, archive, known=packed, reports=[reports], final=False)
    assert content_of(archive)["checkpoint/model.pt"] == b"epoch 2"


def test_a_file_cut_by_a_script_that_writes_it_anew_is_not(place, tmp_path):
    folder, reports = place
    (folder / "done").unlink()
    model = folder / "model.pt"
    before = model.stat()

    def write():
        with model.open("w") as file:  # what ext4 shows until the cut is in its journal: empty, with the old time
            os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))
            cut.set()
            time.sleep(0.2)
            file.write("epoch 2")

    cut = threading.Event()
    thread = threading.Thread(target=write)
    thread.start()
    cut.wait()
    assert pack_whole(folder, tmp_path / "0.tar", known={}, reports=[reports], final=False) is None
    thread.join()
