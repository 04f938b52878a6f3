"""Checkpoints: the old one or the new one, whole, and never silently ignored."""

import fcntl
import os
import pickle
import random
import re
import subprocess
import sys
import time

import pytest
import torch

from hpo import checkpoint
from tests.conftest import SCRIPTS


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HPO_CHECKPOINT_DIR", str(tmp_path / "checkpoint"))
    return tmp_path / "checkpoint"


def test_what_is_saved_is_loaded(folder):
    model = torch.nn.Linear(3, 2)
    checkpoint.save({"epoch": 3, "model": model.state_dict(), "history": [0.5, 0.25]})
    state = checkpoint.load()
    assert state is not None
    assert (state["epoch"], state["history"]) == (3, [0.5, 0.25])
    assert all(torch.equal(state["model"][name], value) for name, value in model.state_dict().items())


@pytest.mark.process
def test_the_module_is_there_after_importing_the_package_alone():
    code = "import sys, hpo; assert 'hpo.checkpoint' not in sys.modules; print(hpo.checkpoint.load(), hpo.checkpoint)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("None <module 'hpo.checkpoint'")


def test_the_newest_is_loaded_and_names_are_kept_apart(folder):
    checkpoint.save({"epoch": 1})
    checkpoint.save({"epoch": 2})
    checkpoint.save({"epoch": 9}, name="best.pt")
    assert checkpoint.load() == {"epoch": 2}
    assert checkpoint.load("best.pt") == {"epoch": 9}
    assert sorted(path.name for path in folder.iterdir()) == ["best.pt", "checkpoint.pt"]


def test_before_the_first_save_there_is_none(folder):
    assert checkpoint.load() is None
    folder.mkdir()
    assert checkpoint.load() is None


def test_without_a_tuner_nothing_is_saved_or_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint.save({"epoch": 1})
    assert checkpoint.load() is None
    assert list(tmp_path.iterdir()) == []
    assert checkpoint.directory() is None


@pytest.mark.parametrize("content", [b"", b"text", random.Random(1).randbytes(1000)])
def test_a_damaged_file_is_an_error_and_not_a_new_start(folder, content):
    folder.mkdir()
    (folder / "checkpoint.pt").write_bytes(content)
    with pytest.raises((OSError, RuntimeError, ValueError)):
        checkpoint.load()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_torn_file_is_an_error_and_not_a_new_start(folder, share):
    checkpoint.save({"weights": torch.zeros(10_000)})
    path = folder / "checkpoint.pt"
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises((OSError, RuntimeError, ValueError)):
        checkpoint.load()


def test_code_in_a_file_is_never_run(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "run"),))

    folder.mkdir()
    torch.save({"epoch": Trap()}, folder / "checkpoint.pt")
    with pytest.raises((OSError, RuntimeError, ValueError, pickle.UnpicklingError)):
        checkpoint.load()
    assert not (tmp_path / "run").exists()


def test_a_save_that_fails_leaves_the_old_one_and_nothing_else(folder):
    checkpoint.save({"epoch": 1})
    with pytest.raises(Exception):  # noqa: B017, PT011  whatever torch says to something that cannot be pickled
        checkpoint.save({"epoch": 2, "what": lambda: None})
    assert checkpoint.load() == {"epoch": 1}
    assert [path.name for path in folder.iterdir()] == ["checkpoint.pt"]


SAVING_WHEN_TOLD = """
import sys
import torch
from hpo import checkpoint
save = torch.save
def slowly(state, file):
    file.write(b"begun")
    file.flush()
    print("writing", flush=True)
    sys.stdin.readline()
    file.seek(0)
    save(state, file)
torch.save = slowly
checkpoint.save({"epoch": 2})
"""


@pytest.fixture
def saving(folder):
    """Another rank of the trial, in the middle of a save."""
    with subprocess.Popen(
        [sys.executable, "-c", SAVING_WHEN_TOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        yield process
        process.kill()


def being_written(folder):
    """Files that shall become the checkpoint."""
    return [path for path in folder.iterdir() if re.fullmatch(r"\.checkpoint\.pt\.\d+\.\d+\.tmp", path.name)]


@pytest.mark.parametrize("look", [lambda: checkpoint.save({"epoch": 1}), checkpoint.load], ids=["save", "load"])
@pytest.mark.process
def test_what_a_killed_save_left_is_removed_by_the_next_attempt(folder, saving, look):
    checkpoint.save({"epoch": 1}, name="other")
    (folder / ".checkpoint.pt.best.tmp").touch()  # whatever that is, it is not ours
    saving.kill()
    saving.wait()
    assert being_written(folder), "it was killed at another moment"
    look()
    assert sorted(path.name for path in folder.iterdir() if path.name != "checkpoint.pt") == [
        ".checkpoint.pt.best.tmp",
        "other",
    ]


@pytest.mark.process
def test_what_a_living_process_is_writing_stays(folder, saving):
    checkpoint.save({"epoch": 1})
    assert checkpoint.load() == {"epoch": 1}
    assert being_written(folder)
    saving.communicate("go on\n", timeout=60)
    assert saving.returncode == 0
    assert checkpoint.load() == {"epoch": 2}
    assert [path.name for path in folder.iterdir()] == ["checkpoint.pt"]


def test_a_save_whose_file_was_taken_for_a_leftover_before_it_was_locked_writes_another(folder, monkeypatch):
    lock = fcntl.flock
    removed = []

    def late(file, how):
        if how == fcntl.LOCK_EX and not removed:
            removed.extend(being_written(folder))
            removed[0].unlink()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    checkpoint.save({"epoch": 1})
    assert removed
    assert checkpoint.load() == {"epoch": 1}


@pytest.mark.process
def test_a_killed_writer_leaves_a_whole_checkpoint_not_older_than_acknowledged(folder):
    rng = random.Random(3)
    writer = subprocess.Popen([sys.executable, str(SCRIPTS / "save_forever.py")], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "1\n"
    time.sleep(rng.uniform(0.02, 0.2))
    writer.kill()
    acknowledged = [1, *(int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n"))]
    writer.wait()
    writer.stdout.close()
    state = checkpoint.load()
    assert state is not None
    assert acknowledged[-1] <= state["number"] <= acknowledged[-1] + 1
    assert torch.equal(state["weights"], torch.full((250_000,), float(state["number"])))
