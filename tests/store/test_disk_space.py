"""Room on the disk: what is refused, what is warned of, and what the sentence says."""

import contextlib
import logging
import os
from pathlib import Path

import pytest

from hpo.backends.failure_cause import check_disk
from hpo.errors import BackendError, StoreError
from hpo.store import disk_space as diskspace
from hpo.store.disk_space import LEAST, LITTLE, check_room, disk_error_as_sentence, free_bytes


def test_free_bytes_are_those_the_kernel_gives_this_user(tmp_path):
    room = os.statvfs(tmp_path)
    assert abs(free_bytes(tmp_path) - room.f_bavail * room.f_bsize) < 1 << 30
    assert free_bytes(tmp_path / "nowhere") == 0


@pytest.mark.parametrize(
    ("free", "refused", "warned"),
    [
        (0, True, False),
        (LEAST - 1, True, False),
        (LEAST, False, True),
        (LITTLE - 1, False, True),
        (LITTLE, False, False),
    ],
)
def test_little_room_is_warned_of_and_none_is_refused(tmp_path, monkeypatch, caplog, free, refused, warned):
    monkeypatch.setattr(diskspace, "free_bytes", lambda _: free)
    with caplog.at_level(logging.WARNING, "hpo"):
        if refused:
            with pytest.raises(StoreError, match=rf"\({free:,} bytes are free there\)") as caught:
                check_room(tmp_path)
            assert str(tmp_path) in str(caught.value)
            assert "free disk space" in str(caught.value)
        else:
            check_room(tmp_path)
    assert (f"only {free:,} bytes are free there" in caplog.text) is warned


def test_an_error_of_the_machine_is_one_sentence_with_the_room_that_is_left(tmp_path):
    sentence = str(disk_error_as_sentence(tmp_path, OSError(28, "No space left on device", "x.json")))
    assert sentence.startswith(f"{tmp_path}: ")
    assert "No space left on device" in sentence
    assert "bytes are free there" in sentence
    assert "\n" not in sentence


def test_the_room_is_that_of_the_folder_above_where_there_is_none_yet(tmp_path, monkeypatch):
    monkeypatch.setattr(diskspace, "free_bytes", lambda folder: 7 if folder == tmp_path else 0)
    sentence = str(disk_error_as_sentence(tmp_path / "outputs" / "t", "cannot be made"))
    assert sentence == (
        f"{tmp_path}/outputs/t: cannot be made; check permissions and free disk space (7 bytes are free there), then run the "
        f"same command again"
    )


@pytest.mark.parametrize(
    ("free", "error", "blamed"),
    [
        (LITTLE - 1, "OSError: [Errno 28] No space left on device", True),
        (LITTLE, "OSError: [Errno 28] No space left on device", False),
        (LITTLE - 1, "ValueError: x", False),
        (LEAST - 1, "", True),
        (LEAST, "", False),
    ],
)
def test_a_failure_is_blamed_on_a_full_disk_also_where_its_last_words_found_no_room(monkeypatch, free, error, blamed):
    monkeypatch.setattr("hpo.backends.failure_cause.free_bytes", lambda _: free)
    with pytest.raises(BackendError, match="trial 3 could not write on") if blamed else contextlib.nullcontext():
        check_disk(Path("outputs"), 3, error)
