"""The identity of a directory, and the mark made of it."""

import shutil

import pytest

from hpo.errors import StoreError
from hpo.host.process_marks import experiment_of
from hpo.store.directory import ExperimentDirectory, refuse_links
from hpo.store.identity import mark_of


def test_a_directory_has_one_mark_for_ever_also_when_it_is_moved(tmp_path):
    (tmp_path / "first").mkdir()
    mark = mark_of(tmp_path / "first")
    assert mark_of(tmp_path / "first") == mark == experiment_of(mark + 1)
    (tmp_path / "first").rename(tmp_path / "second")
    assert mark_of(tmp_path / "second") == mark


def test_another_directory_at_the_same_path_has_another_mark(tmp_path):
    """As two containers see it, which share their processes and not their files."""
    place, marks = tmp_path / "place", set()
    for _ in range(20):
        place.mkdir()
        marks.add(mark_of(place))
        shutil.rmtree(place)  # the next one may get the same inode
    assert len(marks) == 20


def test_a_copy_of_a_directory_has_another_mark_than_the_original(tmp_path):
    (tmp_path / "original").mkdir()
    original = mark_of(tmp_path / "original")
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    assert (tmp_path / "copy" / ".identity").read_bytes() == (tmp_path / "original" / ".identity").read_bytes()
    assert mark_of(tmp_path / "copy") != original


def test_a_link_in_the_place_of_the_identity_is_refused(tmp_path):
    (tmp_path / ".identity").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=r"\.identity: is a link"):
        refuse_links(ExperimentDirectory(tmp_path))
