"""A full disk: nothing acknowledged is lost, one sentence says path and room, and the same command goes on after it."""

import contextlib
import os
import re
import shutil
import subprocess

import pytest

from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS, Project

SIZE = 2 << 20

HUNGRY = '''
"""Reports, keeps a list outside of what was acknowledged, and fills the disk as it goes."""
import argparse, json, os, time
import hpo
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--epochs", type=int)
parser.add_argument("--seconds", type=float)
parser.add_argument("--truth")
a = parser.parse_args()
checkpoint = os.path.join(os.environ["HPO_CHECKPOINT_DIR"], "epoch")
first = len(open(checkpoint).read()) // 10_000 + 1 if os.path.exists(checkpoint) else 1
truth = os.open(a.truth, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
for epoch in range(max(first - 1, 1), a.epochs + 1):
    with open(checkpoint + ".tmp", "w") as file:
        file.write("x" * (10_000 * epoch))
    os.replace(checkpoint + ".tmp", checkpoint)
    loss = (a.x - 0.3) ** 2 + 1 / epoch
    hpo.report(epoch=epoch, loss=loss)
    os.write(truth, (json.dumps([int(os.environ["HPO_TRIAL_ID"]), a.x, epoch, loss]) + "\\n").encode())
    time.sleep(a.seconds)
'''


@contextlib.contextmanager
def small_disk(folder):
    """A file system of 2 MB."""
    folder.mkdir(parents=True)
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)], capture_output=True)
    if made.returncode != 0:
        pytest.skip(f"this machine lets nobody mount: {made.stderr.decode()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def stored(project):
    """(trial, x, epoch, loss) of every stored report."""
    experiment = load_experiment(project.directory)
    trials = experiment.state.trials
    reports = [event for event in experiment.events if event.kind == Kind.REPORTED]
    return [(e.trial, trials[e.trial].trial.configuration["x"], e.resource, e.body["metrics"]["loss"]) for e in reports]


def errors(project):
    return [line for line in project.output().splitlines() if line.startswith("hpo: error: ")]


def check_sentence(project, place):
    (sentence,) = errors(project)
    assert str(place) in sentence
    assert re.search(r"[\d,]+ bytes are free", sentence)
    assert "free disk space" in sentence
    assert "Traceback" not in project.output()
    assert "Logging error" not in project.output()


def cpu_seconds_of_children():
    usage = os.times()
    return usage.children_user + usage.children_system


@pytest.mark.timeout(900)
@pytest.mark.parametrize("filler", [0, 900_000], ids=["checkpoints-fill-it", "it-is-nearly-full-before"])
def test_a_full_disk_loses_nothing_and_the_same_command_goes_on(tmp_path, filler):
    for run in range(RUNS // 2 if RUNS else 2):
        folder = tmp_path / str(run)
        project = Project(folder, HUNGRY, workers=2, trials=30, seconds=0.01, overrides=["max_failures=3", "method=RS"])
        project.directory = project.directory.parent.parent / "RS" / "seed_0"
        with small_disk(folder / "outputs") as disk:
            (disk / "filler").write_bytes(b"x" * (filler + 7919 * run))  # full at another moment each time
            before = cpu_seconds_of_children()
            assert project.finish() == 1, project.output()
            assert cpu_seconds_of_children() - before < 20, "it went round and round"
            check_sentence(project, "outputs")
            acknowledged = project.truth()
            assert [row for row in stored(project) if row[3] != (row[1] - 0.3) ** 2 + 1 / row[2]] == []
            failed = [e for e in load_experiment(project.directory).events if e.body.get("status") == "failed"]
            assert failed == [], "a full disk is no fault of a configuration"
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            (folder / "output").write_text("")
            assert project.finish() == 0, project.output()
            rows = stored(project)
            assert set(acknowledged) <= set(rows)
            assert len({(trial, epoch) for trial, _, epoch, _ in rows}) == len(rows) == 30 * 9
            assert load_experiment(project.directory).metadata["status"] == "complete"


def test_an_experiment_does_not_begin_on_a_full_disk(tmp_path):
    project = Project(tmp_path)
    with small_disk(tmp_path / "outputs") as disk:
        (disk / "filler").write_bytes(b"x" * (SIZE - 900_000))
        assert project.finish() == 1
        check_sentence(project, "outputs")
        assert not (project.directory / "events.db").exists()
        assert not list(tmp_path.glob("truth*")), "no trial has run"


def test_little_room_is_a_warning_with_path_and_bytes(tmp_path):
    project = Project(tmp_path, trials=2)
    with small_disk(tmp_path / "outputs"):
        assert project.finish() == 0, project.output()
        (warning,) = [line for line in project.output().splitlines() if "bytes are free there" in line]
        assert warning.startswith("hpo: ")
        assert "outputs" in warning
