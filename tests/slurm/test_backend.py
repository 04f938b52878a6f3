"""Trials in jobs of a real Slurm with two nodes, which tests/support/slurm starts."""

import json
import os
import shutil
import time
import zlib
from dataclasses import replace

import pytest

import hpo
from hpo.backends.backend_choice import check_backend, open_backend
from hpo.config.reading import resolve
from hpo.errors import ConfigError, HPOError
from hpo.events.types import Exit, Kind, Placed, Trial
from hpo.results.experiment import load_experiment
from hpo.slurm import worker_jobs
from hpo.slurm.commands import call
from hpo.slurm.settings import minutes_of
from hpo.store.directory import ExperimentDirectory
from tests.backends.test_backends import SCRIPT
from tests.conftest import succeeded
from tests.reliability.harness import Project
from tests.reliability.test_kill import decisions
from tests.sagemaker.test_backend import SLOWLY, different, ends
from tests.support import backend_contract
from tests.support.backend_contract import BackendContract, listen, resources
from tests.support.slurm.cluster import wait_until
from tests.support.slurm.workplace import Slurm, is_complete

pytestmark = pytest.mark.process

LOCAL = {"name": "local", "_target_": "hpo.backends.local.LocalBackend"}


def config_of(folder, script=SCRIPT, *, method="RS", backend=(), arguments=(), **keys):
    """An experiment of a script whose trials run in jobs of the cluster."""
    (folder / "code").mkdir(exist_ok=True)
    (folder / "code" / "train.py").write_text(script)
    benchmark = {
        "name": "b",
        "script": str(folder / "code" / "train.py"),
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
        "arguments": {"epochs": 9, **dict(arguments)},
        "num_gpus_per_trial": 0,
    }
    spec = {
        "name": "slurm",
        "_target_": "hpo.slurm.SlurmBackend",
        "poll_seconds": 2,
        "idle_seconds": 5,
        "report_seconds": 0.05,
        "sync_seconds": 0.5,
        **dict(backend),
    }
    keys = {"random_seed": 1, "grace_period_seconds": 5.0, "experiment_tag": "t", **keys}
    return resolve(hpo.load_config(benchmark, method, backend=spec, **keys))


def local_config(folder, script=SCRIPT, **keys):
    """The same experiment with trials as processes of this machine."""
    return replace(config_of(folder, script, **keys), backend=LOCAL)


@pytest.fixture
def slurm(cluster, monkeypatch):
    """The cluster as this process's Slurm; jobs that a test has left are ended."""
    monkeypatch.setattr(backend_contract, "PATIENCE", 60.0)
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    yield cluster
    cluster.call("scancel", "--user=root")


def jobs_in(slurm):
    """Jobs that wait or run, as (name, state)."""
    return [tuple(line.split()) for line in slurm.call("squeue", "-h", "-r", "-o", "%j %T").splitlines()]


@pytest.fixture
def opened(slurm, tmp_path, request):
    """Opens backends whose jobs are ended with the test."""
    made = []

    def open_one(script=SCRIPT, folder="e", **keys):
        tag = f"t{zlib.crc32(request.node.name.encode()):08x}"
        config = config_of(tmp_path, script, experiment_tag=tag, **keys)
        made.append(open_backend(config, ExperimentDirectory(tmp_path / folder)))
        return made[-1]

    yield open_one
    for backend in made:
        backend.kill()
        backend.close()


class TestSlurm(BackendContract):
    @pytest.fixture
    def backend(self, opened):
        return opened()

    @pytest.fixture
    def configuration(self):
        return {"x": 0.5}


def test_one_worker_decides_as_a_local_run_does_in_one_job(slurm, tmp_path):
    keys = {"max_num_trials": 3, "n_workers": 1, "method": "ASHA"}
    there = tmp_path / "there"
    hpo.run_experiment(config_of(tmp_path, **keys), there)
    hpo.run_experiment(local_config(tmp_path, **keys), tmp_path / "here")
    assert decisions(there) == decisions(tmp_path / "here")
    experiment = hpo.load_experiment(there)
    assert different(experiment) == []
    assert len(ends(experiment)) > 3, "some trial was to be resumed"
    assert len(list((there / "slurm").glob("*.log"))) == 1, "a rung does not wait for the queue again"
    wait_until(lambda: not jobs_in(slurm), what="the end of the worker")


def listen_until(backend, count):
    """Events up to the `count`-th report."""
    events = []
    while len(resources(events)) < count:
        events += backend.wait(1.0)
        assert not any(isinstance(event, Exit) for event in events)
    return events


def job_of(events):
    """The Slurm job that an attempt was placed in, from the words that the log shows."""
    (placed,) = (event for event in events if isinstance(event, Placed))
    return placed.node.partition("(job ")[2].rstrip(")")


@pytest.mark.parametrize("signal_first", [pytest.param(True, marks=pytest.mark.slow), False])
def test_an_attempt_whose_job_is_taken_away_is_lost_and_goes_on_in_another(slurm, opened, signal_first):
    backend, trial = opened(SLOWLY), Trial(0, {"x": 0.5})
    backend.start(trial, 0, None)
    events = listen_until(backend, 2)
    how = ["--batch", "--signal=USR2"] if signal_first else []  # as before the time limit
    slurm.call("scancel", *how, job_of(events))
    events += listen(backend)
    assert (events[-1].lost, events[-1].exit_code) == (True, None)
    heard = resources(events)[-1]
    backend.start(trial, 1, heard + 2)
    again = listen(backend)
    assert job_of(again) != job_of(events)
    # The trial saved its last epoch when it was told to end, and perhaps one that it has not reported.
    assert resources(again)[-1] == heard + 2
    assert resources(again)[0] in (heard + 1, heard + 2)


@pytest.mark.slow
def test_an_attempt_on_a_node_that_fails_is_lost_and_goes_on_in_another_job(slurm, opened):
    backend, trial = opened(SLOWLY), Trial(0, {"x": 0.5})
    backend.start(trial, 0, None)
    events = listen_until(backend, 2)
    node = next(event for event in events if isinstance(event, Placed)).node.partition(" ")[0]
    slurm.call("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    events += listen(backend)
    assert events[-1].lost
    backend.start(trial, 1, None)
    again = listen(backend)
    assert job_of(again) != job_of(events)
    assert resources(again)[0] > 1, "from the checkpoint"
    assert resources(again)[-1] == 9
    wait_until(lambda: "down" not in slurm.states(), what="the node's return")


def test_trials_wait_in_the_queue_with_the_clock_still_and_slurm_is_asked_once_an_interval(slurm, opened, monkeypatch):
    asked = []

    def counted(program, *arguments, group):
        asked.append(program)
        return call(program, *arguments, group=group)

    monkeypatch.setattr(worker_jobs, "call", counted)
    slurm.call("scontrol", "update", "partitionname=main", "state=down")
    try:
        backend = opened()
        for trial_id in range(200):
            backend.start(Trial(trial_id, {"x": 0.5}), 0, 1)
        while not backend.waiting_for_capacity:
            backend.wait(0.1)
        wait_until(lambda: len(jobs_in(slurm)) == 200, what="a job for each attempt")
        assert asked.count("sbatch") < 20, "those that are asked for together are one array"
        asked.clear()
        before, begin = backend.clock(), time.monotonic()
        while time.monotonic() - begin < 6.5:
            assert [event for event in backend.wait(0.2) if isinstance(event, Exit)] == []
        assert backend.clock() == before
        assert all(backend.holds(trial_id) for trial_id in range(200))
        assert 2 <= len(asked) <= 4, "squeue, once in two seconds"
        assert set(asked) == {"squeue"}
    finally:
        slurm.call("scontrol", "update", "partitionname=main", "state=up")
        slurm.call("scancel", "--user=root")


def test_no_more_jobs_wait_than_are_allowed_to_and_a_withdrawn_attempt_ends(slurm, opened):
    slurm.call("scontrol", "update", "partitionname=main", "state=down")
    try:
        backend = opened(backend={"max_pending": 2})
        for trial_id in range(5):
            backend.start(Trial(trial_id, {"x": 0.5}), 0, 1)
        wait_until(lambda: len(jobs_in(slurm)) == 2, what="two jobs")
        backend.stop(3)
        (end,) = (event for event in listen(backend) if isinstance(event, Exit))
        assert (end.trial_id, end.lost) == (3, True)
    finally:
        slurm.call("scontrol", "update", "partitionname=main", "state=up")
    ends_of = {event.trial_id: event.exit_code for event in listen(backend, 4) if isinstance(event, Exit)}
    assert ends_of == {0: 0, 1: 0, 2: 0, 4: 0}


@pytest.mark.slow
def test_with_one_trial_a_job_each_attempt_has_its_own(slurm, opened):
    backend = opened(backend={"trials_per_job": 1})
    jobs = set()
    for attempt in range(2):
        backend.start(Trial(0, {"x": 0.5}), attempt, attempt + 1)
        jobs.add(job_of(listen(backend)))
    assert len(jobs) == 2


@pytest.mark.timeout(300)
def test_after_kill_9_of_the_tuner_the_same_command_goes_on_and_no_job_is_left(slurm, tmp_path):
    keys = ("poll_seconds=2", "idle_seconds=3", "report_seconds=0.1", "sync_seconds=0.3")
    made = Project(
        tmp_path, workers=2, trials=4, seconds=0.2, overrides=["backend=slurm", *(f"backend.{key}" for key in keys)]
    )
    tuner = made.start()
    wait_until(lambda: len(made.truth()) >= 3, what="three reports")
    tuner.kill()
    tuner.wait()
    assert made.finish(200) == 0, made.output()
    experiment = load_experiment(made.directory)
    assert experiment.state.finished == "max_num_trials=4 trials are done"
    rows = [(e.trial, e.resource) for e in experiment.events if e.kind == Kind.REPORTED]
    assert len(set(rows)) == len(rows)
    assert {(trial, epoch) for trial, _, epoch, _ in made.truth()} <= set(rows)
    adopted = [e for e in experiment.events if e.kind == Kind.ENDED and e.body["status"] == "interrupted"]
    assert adopted == [], "what ran has run on"
    wait_until(lambda: not jobs_in(slurm), what="the end of all jobs")


@pytest.mark.parametrize(
    ("backend", "keys", "sentence"),
    [
        (
            {"partition": "nowhere"},
            {},
            r"^backend\.partition=nowhere: Slurm has no such partition; choose from main, urgent",
        ),
        (
            {"gpus_type": "h900"},
            {"num_gpus_per_trial": 1},
            r"^backend\.cpus_per_task=4, backend\.gpus_type=gpu:h900:1: no node has so much",
        ),
        ({"mem": "900G"}, {}, r"^backend\.mem=900G: no node has so much"),
        (
            {"setup": ["echo no such module", "false"]},
            {},
            r"^backend=slurm: job \S+ ended before its first word .*no such module",
        ),
        (
            {"setup": ["exec false"]},
            {},
            r"^backend=slurm: job \S+ ended before .*let all nodes see \S+ and this Python",
        ),
    ],
)
def test_what_slurm_refuses_is_one_sentence(slurm, tmp_path, backend, keys, sentence):
    with pytest.raises(HPOError, match=sentence):
        hpo.run_experiment(config_of(tmp_path, backend=backend, **keys), tmp_path / "e")
    assert not hpo.load_experiment(tmp_path / "e").state.running, "none is said to run that never did"


@pytest.mark.parametrize(
    ("backend", "keys", "sentence"),
    [
        ({"poll_seconds": 0.1}, {}, r"^backend\.poll_seconds=0\.1: use a number from 2 to 3600; operators complain"),
        ({"max_pending": 0}, {}, r"^backend\.max_pending=0: use a positive whole number"),
        ({"time_limit": "soon"}, {}, r"^backend\.time_limit=soon: use minutes, or HOURS:MINUTES:SECONDS"),
        ({"time_limit": 1}, {}, r"^backend\.time_limit=1: a job would be interrupted 65 s before that"),
        ({"setup": "module load"}, {}, r"^backend\.setup=module load: use a list of shell lines"),
        ({"sbatch": {"time": 3}}, {}, r"^backend\.sbatch\.time=3: use backend\.time_limit"),
        ({"sbatch": {"array": "0-3"}}, {}, r"^backend\.sbatch\.array=0-3: hpo sets this option itself"),
        ({"partitions": "a"}, {}, r"^backend\.partitions: there is no such key"),
        ({}, {"gpus_to_use": [0]}, r"^gpus_to_use=\[0\]: Slurm chooses the devices"),
    ],
)
def test_keys_that_cannot_be_are_one_sentence_before_slurm_is_asked(tmp_path, backend, keys, sentence):
    with pytest.raises(ConfigError, match=sentence):
        check_backend(config_of(tmp_path, backend=backend, **keys))


@pytest.mark.parametrize(
    ("limit", "minutes"), [(90, 90), ("90", 90), ("1:30:00", 90), ("30:30", 30.5), ("1-0", 1440), ("2-1:30", 2970)]
)
def test_time_limits_are_read_as_sbatch_reads_them(limit, minutes):
    assert minutes_of(limit) == minutes


def test_without_slurm_it_is_said_where_to_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HPOError, match=r"^backend=slurm: sbatch not found; run this on a machine of the cluster"):
        open_backend(config_of(tmp_path), ExperimentDirectory(tmp_path / "e"))


LIMIT = "sbatch: error: QOSMaxSubmitJobPerUserLimit\\nsbatch: error: Job violates accounting/QOS policy"


def wrapped_sbatch(folder, monkeypatch, body):
    """An sbatch in front of the real one, which it can call as "$REAL"."""
    real = shutil.which("sbatch")
    (folder / "bin").mkdir()
    (folder / "bin" / "sbatch").write_text(f'#!/bin/sh\nREAL={real}\n[ "$1" = --version ] && exec $REAL "$@"\n{body}\n')
    (folder / "bin" / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")


def test_while_a_limit_of_jobs_is_reached_trials_wait_and_that_is_said_once(
    slurm, opened, tmp_path, monkeypatch, caplog
):
    full = tmp_path / "full"
    full.touch()
    wrapped_sbatch(tmp_path, monkeypatch, f'[ -e {full} ] || exec $REAL "$@"\nprintf "{LIMIT}\\n" >&2; exit 1')
    backend = opened()
    backend.start(Trial(0, {"x": 0.5}), 0, 1)
    begin = time.monotonic()
    while time.monotonic() - begin < 3:
        assert list(backend.wait(0.2)) == []
    assert backend.holds(0)
    full.unlink()
    assert listen(backend)[-1].exit_code == 0
    assert any("QOSMaxSubmitJobPerUserLimit" in record.message for record in caplog.records)


def test_an_account_that_is_refused_is_named(slurm, tmp_path, monkeypatch):
    said = "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified"
    wrapped_sbatch(tmp_path, monkeypatch, f'echo "{said}" >&2; exit 1')
    with pytest.raises(HPOError, match=r"^backend\.account=nobodys: sbatch rejected it .*Invalid account"):
        hpo.run_experiment(config_of(tmp_path, backend={"account": "nobodys"}), tmp_path / "e")


def test_other_jobs_of_the_user_with_like_names_are_left_alone(slurm, opened, tmp_path):
    backend = opened()
    backend.start(Trial(0, {"x": 0.5}), 0, 1)
    events = listen(backend)
    (name,) = {name for name, _ in jobs_in(slurm)}
    other = slurm.call("sbatch", "--parsable", f"--job-name={name}x", "--output=/dev/null", "--wrap=sleep 60").strip()
    backend.kill()
    backend.close()
    wait_until(lambda: [name for name, _ in jobs_in(slurm)] == [f"{name}x"], what="the end of the worker")
    assert events[-1].exit_code == 0
    slurm.call("scancel", other)


@pytest.mark.timeout(200)
def test_the_tuner_can_be_a_small_job_itself(slurm, tmp_path):
    place = Slurm(tmp_path).prepare(slurm, max_num_trials=2, n_workers=2)
    succeeded(place.hpo(*TUNER_AS_A_JOB, "launcher.wait=true"))
    is_complete(place.directory("t"))
    request = json.loads((place.directory("t") / "request.json").read_text())["sbatch"]
    assert request["cpus-per-task"] == 1
    assert "gres" not in request
    assert {entry["node"] for entry in place.diary()} <= {"n1", "n2"}
    assert {entry["devices"] for entry in place.diary()} <= {"0", "1", "2", "3"}, "a GPU for each trial"


TUNER_AS_A_JOB = (
    "benchmark=mine",
    "method=RS",
    "experiment_tag=t",
    "launcher=slurm",
    "backend=slurm",
    "backend.idle_seconds=2",
    "grace_period_seconds=5",
)
