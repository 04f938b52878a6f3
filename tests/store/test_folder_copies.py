"""A copy of a folder: the same files, whole or not at all."""

import os

import pytest

from hpo.errors import StoreError
from hpo.store import folder_copies
from hpo.store.folder_copies import copy_folder


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "trials" / "3" / "checkpoint"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "weights.bin").write_bytes(os.urandom(5000))
    (folder / "deep" / "weights.bin").chmod(0o640)
    (folder / "state.json").write_text("{}")
    return folder


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_files_are_copied_with_their_modes_and_are_files_of_their_own(source, tmp_path):
    target = tmp_path / "trials" / "9" / "checkpoint"
    copy_folder(source, target)
    assert content(target) == content(source)
    assert (target / "deep" / "weights.bin").stat().st_mode & 0o777 == 0o640
    with (source / "deep" / "weights.bin").open("r+b") as file:
        file.write(b"in place")
    assert content(target) != content(source), "no second name for the same file"


def test_links_lead_to_the_copy_where_they_led_to_the_original_and_else_where_they_led(source, tmp_path):
    outside = tmp_path / "data"
    outside.write_text("shared")
    (source / "last").symlink_to(source / "deep" / "weights.bin")
    (source / "deep" / "up").symlink_to("../state.json")
    (source / "data").symlink_to(outside)
    (source / "gone").symlink_to("nowhere")
    target = tmp_path / "copy"
    copy_folder(source, target)
    assert (target / "last").resolve() == (target / "deep" / "weights.bin").resolve()
    assert (target / "deep" / "up").resolve() == (target / "state.json").resolve()
    assert (target / "data").resolve() == outside
    assert (target / "gone").is_symlink()


def test_a_copy_that_fails_half_way_leaves_nothing_and_says_what_and_where(source, tmp_path, monkeypatch):
    target = tmp_path / "trials" / "9" / "checkpoint"

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder_copies, "sync", full)
    with pytest.raises(
        StoreError, match=r"9/checkpoint: the checkpoint in .*3/checkpoint could not be copied \(.*No space"
    ):
        copy_folder(source, target)
    assert list(target.parent.iterdir()) == []


def test_what_a_killed_copy_left_is_no_obstacle(source, tmp_path):
    target = tmp_path / "copy"
    (tmp_path / ".copy.copying" / "half").mkdir(parents=True)
    copy_folder(source, target)
    assert content(target) == content(source)


def test_a_folder_that_is_not_there_is_an_error_in_one_sentence(tmp_path):
    with pytest.raises(StoreError, match="could not be copied"):
        copy_folder(tmp_path / "nothing", tmp_path / "copy")
