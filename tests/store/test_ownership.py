"""One tuner per directory."""

import json
import socket
import subprocess
import sys
from datetime import datetime

import pytest

from hpo.errors import StoreError
from hpo.store.directory import ExperimentDirectory
from hpo.store.ownership import owned
from tests.conftest import SCRIPTS

pytestmark = pytest.mark.process


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPTS / "hold.py"), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_owner_is_refused_with_host_pid_and_start_time(tmp_path, holder):
    with pytest.raises(StoreError) as caught, owned(ExperimentDirectory(tmp_path)):
        pass
    sentence = str(caught.value)
    assert str(tmp_path) in sentence
    assert f"host {socket.gethostname()}" in sentence
    assert f"pid {holder.pid}" in sentence
    started = json.loads((tmp_path / ".owner.json").read_text())["started"]
    assert started in sentence
    assert abs((datetime.now().astimezone() - datetime.fromisoformat(started)).total_seconds()) < 3600
    assert "experiment_tag" in sentence
    assert "\n" not in sentence


def test_the_lock_of_a_killed_owner_is_free_at_once(tmp_path, holder):
    holder.kill()
    holder.wait()
    with owned(ExperimentDirectory(tmp_path)):
        pass


def test_a_lock_is_free_after_its_owner_and_after_an_error(tmp_path):
    files = ExperimentDirectory(tmp_path)
    for _ in range(2):
        with owned(files):
            pass
    with pytest.raises(ZeroDivisionError), owned(files):
        _ = 1 / 0
    with owned(files):
        pass


def test_two_directories_have_two_locks(tmp_path, holder):
    (tmp_path / "other").mkdir()
    with owned(ExperimentDirectory(tmp_path / "other")):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host": "a"}', "null"])
def test_a_damaged_note_of_the_owner_is_no_second_error(tmp_path, holder, content):
    (tmp_path / ".owner.json").write_text(content)
    with pytest.raises(StoreError, match="another tuner works here"), owned(ExperimentDirectory(tmp_path)):
        pass


def test_a_directory_that_is_not_there_is_one_sentence(tmp_path):
    files = ExperimentDirectory(tmp_path / "file" / "seed_0")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as caught, owned(files):
        pass
    assert "\n" not in str(caught.value)
