"""Two containers that share their processes and not their files, each with an experiment at the same path."""

import shutil
import subprocess
import sys

import pytest

from hpo import load_experiment
from tests.reliability.harness import Project, wait_until

pytestmark = pytest.mark.process

INSIDE = 'mount --bind "$0" "$1" && cd "$1" && shift 1 && exec "$@"'


def unshared(*command):
    """A command with mounts of its own."""
    return ["unshare", "--mount", *command]


@pytest.fixture
def projects(tmp_path):
    """Two users' folders, written for the place at which each of them is mounted."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare, of Debian's util-linux")
    trying = unshared("mount", "--bind", str(tmp_path), str(tmp_path))
    if (tried := subprocess.run(trying, capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"this user may have no mounts of its own: {tried.stderr.strip()}")
    place, made = tmp_path / "place", []
    for name in ("first", "second"):
        project = Project(place, trials=4, seconds=0.2, overrides=["grace_period_seconds=2"])
        place.rename(tmp_path / name)
        project.folder = tmp_path / name
        made.append(project)
    place.mkdir()
    return made


def start(project, place):
    with (project.folder / "output").open("wb") as log:
        command = [sys.executable, "-m", "hpo", "--config-dir", "conf", *project.overrides]
        return subprocess.Popen(
            unshared("sh", "-c", INSIDE, str(project.folder), str(place), *command), stdout=log, stderr=log
        )


def test_neither_ends_the_trials_of_the_other(projects, tmp_path):
    first, second = projects
    tuners = [start(first, tmp_path / "place")]
    wait_until(first.truth, what="a report of the first")
    tuners.append(start(second, tmp_path / "place"))
    assert [tuner.wait(60) for tuner in tuners] == [0, 0], first.output() + second.output()
    assert "left behind" not in first.output() + second.output()
    for project in projects:
        trials = load_experiment(project.folder / "outputs" / "t" / "truth" / "ASHA" / "seed_0").trials
        assert set(trials["status"]) <= {"completed", "paused"}
        assert set(trials["attempts"]) <= {1, 2, 3}, "an attempt was ended from outside and repeated"
