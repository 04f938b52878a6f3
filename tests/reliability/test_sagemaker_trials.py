"""`kill -9` of a tuner whose trials are SageMaker jobs, and of such jobs, at any moment: nothing lost, nothing doubled."""

import random
import time
from collections import Counter

import pytest

from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS, Project
from tests.reliability.test_kill import decisions
from tests.sagemaker.test_launcher import needs_service

pytestmark = [*needs_service, pytest.mark.process]

JOBS = {"poll_seconds": 0.2, "sync_seconds": 0.3, "quota_wait": 0.5, "probe_seconds": 60, "silence_seconds": 2}
TRIALS, WORKERS = 4, 2


def project(folder, *overrides, workers=WORKERS):
    return Project(folder, workers=workers, trials=TRIALS, seconds=0.2, overrides=overrides)


def trained_in_jobs(folder, fake, workers=WORKERS):
    """The harness's experiment with a job for each attempt."""
    keys = {"bucket": fake.bucket, "role": fake.role, "instance_type": "ml.c5.xlarge", **JOBS}
    made = project(folder, "backend=sagemaker", *(f"backend.{k}={v}" for k, v in keys.items()), workers=workers)
    made.overrides[2] = f"experiment_tag={folder.name}"
    made.directory = folder / "outputs" / folder.name / "truth" / "ASHA" / "seed_0"
    return made


@pytest.fixture
def account(fake, monkeypatch):
    """The service as this process's AWS."""
    for name, value in fake.environment.items():
        monkeypatch.setenv(name, value)
    return fake


def check(project, fake):
    """Each acknowledged report is stored once, each attempt had one job, and none is at work."""
    experiment = load_experiment(project.directory)
    assert experiment.state.finished == f"max_num_trials={TRIALS} trials are done", project.output()
    configurations = {trial_id: state.trial.configuration["x"] for trial_id, state in experiment.state.trials.items()}
    reported = [event for event in experiment.events if event.kind == Kind.REPORTED]
    rows = [(e.trial, configurations[e.trial], e.resource, e.body["metrics"]["loss"]) for e in reported]
    assert max(Counter((trial, epoch) for trial, _, epoch, _ in rows).values()) == 1
    dropped = {(e.trial, e.body["metrics"]["epoch"]) for e in experiment.events if e.kind == Kind.DROPPED}
    told = set(project.truth())
    assert {row for row in told if (row[0], row[2]) not in dropped} <= set(rows)
    attempts = sum(event.kind in (Kind.STARTED, Kind.RESUMED, Kind.RESTARTED) for event in experiment.events)
    mine = {name: status for name, status in fake.jobs().items() if name.startswith(project.directory.parts[-4])}
    assert len(mine) == attempts
    return experiment


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_killed_tuner_adopts_its_jobs_and_a_killed_job_is_followed_by_another(account, tmp_path):
    rng = random.Random(3)
    for number in range(RUNS or 1):
        made = trained_in_jobs(tmp_path / f"run{number}", account)
        tuner = made.start()
        time.sleep(2.0 + rng.random() * 10)
        tuner.kill()
        tuner.wait()
        running = [name for name, status in account.jobs().items() if status == "InProgress"]
        tuner = made.start()
        time.sleep(rng.random() * 4)
        if running:
            account.control("kill", job=rng.choice(running))
        assert tuner.wait(300) == 0, made.output()
        experiment = check(made, account)
        if running:
            assert any(f"has job {name} already" in made.directory.joinpath("hpo.log").read_text() for name in running)
        assert all(
            event.body["status"] in ("completed", "paused", "stopped", "interrupted")
            for event in experiment.events
            if event.kind == Kind.ENDED
        )


@pytest.mark.timeout(3600)
@pytest.mark.skipif(not RUNS, reason="set HPO_RELIABILITY_RUNS; the suite kills a tuner with two workers above")
def test_one_worker_decides_as_undisturbed_however_often_its_tuner_is_killed(account, tmp_path):
    reference = project(tmp_path / "here", workers=1)
    assert reference.finish() == 0, reference.output()
    rng = random.Random(4)
    for number in range(RUNS):
        made = trained_in_jobs(tmp_path / f"one{number}", account, workers=1)
        for _ in range(2):
            tuner = made.start()
            time.sleep(1.0 + rng.random() * 10)
            tuner.kill()
            tuner.wait()
        assert made.finish(600) == 0, made.output()
        check(made, account)
        assert decisions(made.directory) == decisions(reference.directory)
