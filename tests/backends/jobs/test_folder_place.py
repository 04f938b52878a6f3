"""Objects in a folder: whole or not there, one creator of many, listed by prefix."""

import os
import threading

from hpo.backends.jobs.folder_place import FolderPlace


def test_objects_are_listed_by_the_start_of_their_keys_and_read_back(tmp_path):
    place = FolderPlace(tmp_path / "new")
    assert list(place.list("live/")) == []
    place.write("live/a/begun", b"")
    place.write("live/ab/1-2", b"xy")
    (tmp_path / "archive").write_bytes(b"archive")
    place.write("checkpoints/3/0.tar", tmp_path / "archive")
    assert sorted((one.key, one.size) for one in place.list("live/")) == [("live/a/begun", 0), ("live/ab/1-2", 2)]
    assert [one.key for one in place.list("live/a/")] == ["live/a/begun"]
    assert place.read("live/ab/1-2") == b"xy"
    place.download("checkpoints/3/0.tar", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"archive"
    place.remove(["live/a/begun", "live/never"])
    assert [one.key for one in place.list("live/")] == ["live/ab/1-2"]


def creators(place, count=8):
    """How many of several threads succeed in making the same object."""
    made, start = [], threading.Barrier(count)

    def create(number):
        start.wait()
        made.append(place.create("claims/a", str(number).encode()))

    threads = [threading.Thread(target=create, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(made)


def test_of_several_that_create_an_object_one_succeeds(tmp_path):
    assert creators(FolderPlace(tmp_path)) == 1
    assert len(list(FolderPlace(tmp_path).list("claims/"))) == 1


def test_so_it_is_on_a_file_system_without_links(tmp_path, monkeypatch):
    def link(*_):
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    assert creators(FolderPlace(tmp_path)) == 1
