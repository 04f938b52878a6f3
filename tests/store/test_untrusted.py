"""Files that somebody else may have written: only regular files are read, without waiting, and no more than a limit."""

import os
import socket
import time

import pytest

from hpo.config.reading import read_config
from hpo.errors import ConfigError
from hpo.store.directory import ExperimentDirectory, read_json
from hpo.store.ownership import is_owned
from hpo.store.untrusted import MOST_CONFIG, UnsafeFileError, open_folder, read_untrusted

SECRET = "xK9-the-token-that-steers"


def test_a_regular_file_is_read_up_to_its_limit(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_untrusted(path, 5) == b"12345"
    with pytest.raises(UnsafeFileError, match="more than 4 bytes"):
        read_untrusted(path, 4)


def link(path):
    (path.parent / "elsewhere").write_text(SECRET)
    path.symlink_to(path.parent / "elsewhere")


def bound_socket(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


ODD = {
    "link": link,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "pipe": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "folder": lambda path: path.mkdir(),
    "socket": bound_socket,
}


@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    path = tmp_path / "metadata.json"
    make(path.relative_to(tmp_path) if make is bound_socket else path)
    began = time.monotonic()
    with pytest.raises(UnsafeFileError):
        read_untrusted(path, 100)
    assert read_json(path) == {}
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_an_experiment_yaml_that_is_no_regular_file_is_one_sentence_without_its_content(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "experiment.yaml"
    make(path.relative_to(tmp_path) if make is bound_socket else path)
    with pytest.raises(ConfigError, match=r"experiment.yaml: cannot be read \(it is ") as caught:
        read_config(path)
    assert SECRET not in str(caught.value)


def test_a_sparse_file_of_gigabytes_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "experiment.yaml"
    path.touch()
    os.truncate(path, 3 << 30)
    with pytest.raises(ConfigError, match=f"more than {MOST_CONFIG:,} bytes"):
        read_config(path)


def test_no_link_is_followed_below_a_folder(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "l").symlink_to(tmp_path / "a")
    os.close(open_folder(tmp_path / "l"))
    os.close(open_folder(tmp_path, "a", "b"))
    with pytest.raises(OSError, match="Not a directory"):
        open_folder(tmp_path, "l", "b")


def test_an_owner_s_note_asks_for_no_path_but_that_of_a_process(tmp_path):
    files = ExperimentDirectory(tmp_path)
    (tmp_path / "there").touch()
    files.owner.write_text(f'{{"pid": "..{tmp_path}/there"}}')
    assert not is_owned(files)
    files.owner.write_text(f'{{"pid": {os.getpid()}}}')
    assert is_owned(files)
