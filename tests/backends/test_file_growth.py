"""A folder in which files appear is looked after also after it was removed or renamed; a link in its place is not."""

import contextlib
import select
import shutil

import pytest

from hpo.backends.file_growth import GrowingFiles

KEY = 7


@pytest.fixture
def growing():
    files = GrowingFiles()
    if files.descriptor is None:
        pytest.skip("no inotify here")
    yield files
    files.close()


def heard(growing):
    """What grows within a moment."""
    select.select([growing.descriptor], [], [], 5)
    return growing.grown()


@pytest.mark.parametrize("made_again", [True, False])
@pytest.mark.parametrize("end", [shutil.rmtree, lambda folder: folder.rename(folder.with_name("away"))])
def test_what_is_left_in_a_folder_that_was_removed_and_made_again_is_heard(growing, tmp_path, end, made_again):
    folder = tmp_path / "commands"
    folder.mkdir()
    assert growing.add_folder(folder, KEY)
    end(folder)
    if made_again:
        folder.mkdir()
    assert KEY in heard(growing), "what was left meanwhile is looked for"
    while select.select([growing.descriptor], [], [], 0)[0]:
        growing.grown()
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    (folder / "1.json").write_text("{}")
    assert KEY in heard(growing)


def test_a_link_in_the_place_of_a_folder_is_not_looked_after(growing, tmp_path, caplog):
    folder, elsewhere = tmp_path / "commands", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    assert growing.add_folder(folder, KEY)
    folder.rmdir()
    folder.symlink_to(elsewhere)
    heard(growing)
    assert "cannot be made again" in caplog.text
    assert not growing.add_folder(folder, KEY)
