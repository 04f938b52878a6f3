"""Tuners that are killed, jobs that are cancelled and nodes that fail with backend=slurm: nothing lost, nothing doubled."""

import contextlib
import random
import subprocess
import time

import pytest

from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS, Project
from tests.slurm.conftest import cluster  # noqa: F401  fixture
from tests.support.slurm.cluster import wait_until

pytestmark = pytest.mark.process

TRIALS = 4
KEYS = ("poll_seconds=2", "idle_seconds=3", "report_seconds=0.1", "sync_seconds=0.3")
HARMS = ("kill the tuner", "cancel a job", "set a node down", "fill the queue", "drain and interrupt")


def harm(kind, tuner, slurm):
    """Do something to an experiment that runs."""
    jobs = [line.split() for line in slurm.call("squeue", "-h", "-r", "-t", "R", "-o", "%i %N").splitlines()]
    if kind == "kill the tuner":
        tuner.kill()
        tuner.wait()
    elif kind == "cancel a job" and jobs:
        with contextlib.suppress(subprocess.CalledProcessError):  # it has just ended
            slurm.call("scancel", jobs[0][0])
    elif kind == "set a node down" and jobs:
        slurm.call("scontrol", "update", f"nodename={jobs[0][1]}", "state=down", "reason=test")
    elif kind == "drain and interrupt" and jobs:
        with contextlib.suppress(subprocess.CalledProcessError):
            slurm.call("scancel", "--batch", "--signal=USR2", jobs[0][0])
    elif kind == "fill the queue":
        slurm.call("scontrol", "update", "partitionname=main", "state=down")
        time.sleep(2)
        slurm.call("scontrol", "update", "partitionname=main", "state=up")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_whatever_happens_each_report_is_stored_once_and_no_job_is_left(cluster, tmp_path, monkeypatch):  # noqa: F811
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    rng = random.Random(1)
    for number in range(RUNS or len(HARMS)):
        kind = HARMS[number % len(HARMS)]
        overrides = ["backend=slurm", "grace_period_seconds=5", *(f"backend.{key}" for key in KEYS)]
        made = Project(tmp_path / str(number), workers=2, trials=TRIALS, seconds=0.2, overrides=overrides)
        tuner = made.start()
        time.sleep(1.5 + 5 * rng.random())
        harm(kind, tuner, cluster)
        tuner.wait(200)
        assert made.finish(200) == 0, f"{kind}: {made.output()}"
        experiment = load_experiment(made.directory)
        assert experiment.state.finished == f"max_num_trials={TRIALS} trials are done", kind
        rows = [(e.trial, e.resource) for e in experiment.events if e.kind == Kind.REPORTED]
        assert len(set(rows)) == len(rows), kind
        dropped = {(e.trial, e.body["metrics"]["epoch"]) for e in experiment.events if e.kind == Kind.DROPPED}
        assert {(trial, epoch) for trial, _, epoch, _ in made.truth()} - dropped <= set(rows), kind
        wait_until(lambda: not cluster.call("squeue", "-h").strip(), what=f"the end of all jobs after: {kind}")
