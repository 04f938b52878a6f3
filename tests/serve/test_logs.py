"""Logs of trials are read below the experiment, and nothing else is."""

import os

import pytest

from hpo.serve.logs import read_log, sizes

SECRET = b"secret of another folder"


@pytest.fixture
def attempt(tmp_path):
    folder = tmp_path / "experiment" / "trials" / "7" / "attempt_0"
    folder.mkdir(parents=True)
    (tmp_path / "stdout.log").write_bytes(SECRET)
    return folder


def test_the_end_is_read_then_what_was_appended_and_all_of_a_file_that_was_begun_anew(attempt, tmp_path):
    log = attempt / "stdout.log"
    log.write_bytes(b"a" * 10 + b"b" * 20)
    directory = tmp_path / "experiment"
    assert read_log(directory, 7, 0, "stdout", most=20) == (b"b" * 20, 30)
    assert read_log(directory, 7, 0, "stdout", after=30) == (b"", 30)
    with log.open("ab") as file:
        file.write(b"more")
    assert read_log(directory, 7, 0, "stdout", after=30) == (b"more", 34)
    assert read_log(directory, 7, 0, "stdout", after=0, most=5) == (b"bmore", 34)
    log.write_bytes(b"new")
    assert read_log(directory, 7, 0, "stdout", after=34) == (b"new", 3)
    assert sizes(directory, 7, 0) == {"stdout": 3}


@pytest.mark.parametrize("level", ["file", "attempt", "trial", "trials"])
def test_a_link_on_the_way_is_not_followed(attempt, tmp_path, level):
    directory = tmp_path / "experiment"
    (attempt / "stdout.log").write_bytes(b"mine")
    assert read_log(directory, 7, 0, "stdout")[0] == b"mine"
    victim = {
        "file": attempt / "stdout.log",
        "attempt": attempt,
        "trial": attempt.parent,
        "trials": attempt.parent.parent,
    }[level]
    target = tmp_path / "stdout.log" if level == "file" else tmp_path / "moved"
    moved = tmp_path / "moved"
    victim.rename(moved)
    victim.symlink_to(target)
    assert SECRET in victim.read_bytes() if level == "file" else victim.is_dir()  # who follows links is led away
    with pytest.raises(OSError, match=r"it is a link|Not a directory"):
        read_log(directory, 7, 0, "stdout")
    assert sizes(directory, 7, 0) == {}


def test_what_is_no_file_is_not_waited_for(attempt, tmp_path):
    os.mkfifo(attempt / "stdout.log")
    (attempt / "stderr.log").mkdir()
    for name in ("stdout", "stderr"):
        with pytest.raises(OSError, match="not a regular file"):
            read_log(tmp_path / "experiment", 7, 0, name)
    assert sizes(tmp_path / "experiment", 7, 0) == {}


def test_an_attempt_that_left_nothing_has_no_logs(tmp_path):
    assert sizes(tmp_path, 7, 0) == {}
    with pytest.raises(FileNotFoundError):
        read_log(tmp_path, 7, 0, "stdout")
