"""How programs are called on a node, and late writers that are shut out of the checkpoint of the next attempt."""

import os
from pathlib import Path

import pytest

import hpo
from hpo.config.reading import resolve
from hpo.events.types import Trial
from hpo.randomness import Randomness
from hpo.ray.program import NodeDirectory, NodeProgram, close_checkpoint, shut_out
from tests.conftest import SCRIPTS

TRIAL = Trial(3, {"x": 0.5})


@pytest.fixture
def make(tmp_path):
    def make(slot="a", hidden=()):
        content = {
            "name": "b",
            "script": str(SCRIPTS / "steps.py"),
            "metric": "loss",
            "mode": "min",
            "resource_attr": "epoch",
            "max_resource_attr": "epochs",
            "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
            "arguments": {"epochs": 9},
            "n_workers": 2,
            "num_gpus_per_trial": 0,
        }
        config = resolve(hpo.load_config(content, "RS", random_seed=1))
        directory = NodeDirectory(tmp_path / "experiment", slot=slot)
        return NodeProgram(config, directory, Randomness(1, 0), slot=slot, hidden=frozenset(hidden))

    return make


def checkpoint_of(order):
    return Path(order["env"]["HPO_CHECKPOINT_DIR"])


def test_slots_have_marks_of_their_own(make):
    assert make("a").mark != make("b").mark
    assert make("a").mark == make("a").mark


def test_what_ray_has_added_to_the_environment_is_not_for_trials(make, monkeypatch):
    monkeypatch.setenv("RAY_JOB_ID", "1")
    monkeypatch.setenv("MINE", "2")
    environment = make(hidden=["RAY_JOB_ID"]).environment_of_host
    assert "RAY_JOB_ID" not in environment
    assert environment["MINE"] == "2"


def test_a_later_attempt_goes_on_in_the_folder_of_one_that_was_seen_to_end(make, tmp_path):
    program = make()
    first = checkpoint_of(program.order(TRIAL, 0, 3, []))
    (first / "weights").write_text("1")
    inode = first.stat().st_ino
    program.ended(3, 0)
    assert not first.exists()
    second = checkpoint_of(program.order(TRIAL, 1, 9, []))
    assert (second / "weights").read_text() == "1"
    assert second.stat().st_ino == inode == (tmp_path / "experiment/trials/3/checkpoint").stat().st_ino


def test_late_writes_of_an_attempt_whose_end_nobody_saw_do_not_reach_the_next(make, tmp_path):
    first = checkpoint_of(make("a").order(TRIAL, 0, 3, []))
    (first / "weights").write_text("1")
    (first / "state").mkdir()
    (first / "state" / "more").write_text("1")
    opened, folder = (first / "weights").open("a"), os.open(first, os.O_RDONLY)
    second = checkpoint_of(make("b").order(TRIAL, 1, 9, []))
    with opened:
        opened.write("2, too late")
    with pytest.raises(FileNotFoundError):
        (first / "weights").write_text("2, too late")
    with pytest.raises(FileNotFoundError):
        os.open("late", os.O_CREAT | os.O_WRONLY, dir_fd=folder)
    os.close(folder)
    assert (second / "weights").read_text() == "1"
    assert (second / "state" / "more").read_text() == "1"
    assert sorted(path.name for path in (tmp_path / "experiment/trials/3").iterdir()) == [
        "attempt_0",
        "attempt_1",
        "checkpoint",
    ]


def killed_after(steps, monkeypatch):
    """Have the process end, so to speak, before the step of that number."""
    left = [steps]

    def step(function):
        def counted(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return function(*arguments, **options)

        return counted

    for name in ("os.rename", "shutil.copytree", "shutil.rmtree"):
        module, function = name.split(".")
        monkeypatch.setattr(f"{module}.{function}", step(getattr(__import__(module), function)))
    monkeypatch.setattr("pathlib.Path.unlink", step(Path.unlink))


@pytest.mark.parametrize("steps", range(6))
def test_killed_anywhere_it_is_done_again_and_nothing_is_lost(tmp_path, monkeypatch, steps):
    checkpoint, link = tmp_path / "checkpoint", tmp_path / "attempt_0" / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "weights").write_text("1")
    link.parent.mkdir()
    link.symlink_to("../checkpoint")
    with monkeypatch.context() as patch:
        killed_after(steps, patch)
        with pytest.raises(KeyboardInterrupt):
            shut_out(link, checkpoint)
    shut_out(link, checkpoint)
    assert (checkpoint / "weights").read_text() == "1"
    assert not link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["attempt_0", "checkpoint"]


def test_a_lost_attempt_saves_nothing_more_and_the_next_goes_on_from_what_it_had_saved(make, tmp_path):
    program = make()
    lost = checkpoint_of(program.order(TRIAL, 0, 3, []))
    (lost / "weights").write_text("1")
    close_checkpoint(lost.parent)
    close_checkpoint(lost.parent)  # as after a tuner that was killed meanwhile
    with pytest.raises(FileNotFoundError):
        (lost / "weights").write_text("2")
    following = checkpoint_of(make("b").order(TRIAL, 1, 3, []))
    assert (following / "weights").read_text() == "1"
    (following / "weights").write_text("3")
    assert not [path for path in lost.parent.iterdir() if path.is_symlink()]
