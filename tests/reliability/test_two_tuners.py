"""T11: a second tuner in the same directory is refused, and a killed one leaves the directory free at once."""

import json
import re
import socket
import subprocess
import sys
import time

import pytest

from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS, Project, wait_until

ENOUGH = 10.0
"""Seconds in which a tuner, its interpreter's start included, has refused or begun on a machine with other work."""


def project_of(folder, *overrides):
    """One trial that goes on for as long as the tuner does."""
    endless = ["method=RS", "benchmark.arguments.epochs=100000"]
    project = Project(folder, trials=1, overrides=[*endless, "grace_period_seconds=1", *overrides])
    project.directory = project.directory.parent.parent / "RS" / "seed_0"
    return project


def command_of(project):
    """The same command as that of the first tuner."""
    return [sys.executable, "-m", "hpo", "--config-dir", "conf", *project.overrides]


def note_of(project):
    """What the owner says of itself."""
    path = project.directory / ".owner.json"
    return json.loads(path.read_text()) if path.exists() else {}


def start(project):
    """A tuner that holds the directory and has a trial. Returns it and the seconds until then."""
    begin = time.monotonic()
    sessions = len(list(project.directory.glob("trials/*/attempt_*/reports.jsonl")))
    tuner = project.start()
    wait_until(lambda: note_of(project).get("pid") == tuner.pid, 30, "the owner's note")
    seconds = time.monotonic() - begin
    wait_until(
        lambda: len(list(project.directory.glob("trials/*/attempt_*/reports.jsonl"))) > sessions,
        30,
        "a trial's attempt",
    )
    return tuner, seconds


@pytest.mark.timeout(600)
def test_every_second_tuner_is_refused_at_once_and_the_first_goes_on(tmp_path):
    project = project_of(tmp_path)
    tuner, _ = start(project)
    took = []
    for _ in range(RUNS or 2):
        begin = time.monotonic()
        second = subprocess.run(
            command_of(project), cwd=project.folder, capture_output=True, text=True, timeout=60, check=False
        )
        took.append(time.monotonic() - begin)
        assert second.returncode == 1
        sentences = [line for line in second.stderr.splitlines() if line.startswith("hpo: error: ")]
        assert len(sentences) == 1, second.stderr
        assert "Traceback" not in second.stderr
        named = re.search(r"host (\S+), pid (\d+), since ([^)]+)\)", sentences[0])
        assert named is not None, sentences
        assert named.groups() == (socket.gethostname(), str(tuner.pid), note_of(project)["started"])
        assert tuner.poll() is None
    print(f"refused after {min(took):.2f} to {max(took):.2f} s, interpreter's start included")  # noqa: T201
    assert max(took) < ENOUGH
    before = load_experiment(project.directory).state.reports
    wait_until(lambda: load_experiment(project.directory).state.reports > before, 30, "another report of the first")
    tuner.terminate()
    assert tuner.wait(60) == 143
    assert load_experiment(project.directory).state.sessions == 1
    assert "another tuner" not in project.output()


@pytest.mark.timeout(600)
def test_after_kill_9_of_the_owner_the_next_one_starts_at_once(tmp_path):
    project = project_of(tmp_path)
    took, owners = [], []
    for _ in range((RUNS or 2) + 1):
        tuner, seconds = start(project)
        took.append(seconds)
        owners.append(tuner.pid)
        tuner.kill()
        assert tuner.wait(60) == -9
    print(f"owner after {min(took[1:]):.2f} to {max(took[1:]):.2f} s, interpreter's start included")  # noqa: T201
    assert max(took[1:]) < ENOUGH
    assert "another tuner" not in project.output(), project.output()
    opened = [event.body["pid"] for event in load_experiment(project.directory).events if event.kind == "opened"]
    assert opened == owners, "each that was started held the directory, and no other"
