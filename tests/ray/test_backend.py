"""Trials on the nodes of a real Ray cluster of this machine."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hpo import load_config, load_experiment, run_experiment
from hpo.backends.backend_choice import open_backend
from hpo.config.reading import resolve
from hpo.errors import BackendError
from hpo.events.types import Placed, Report, Trial
from hpo.store.directory import ExperimentDirectory
from tests.backends.test_backends import SCRIPT
from tests.support.backend_contract import PATIENCE, BackendContract, listen

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("ray")]


def config_of(folder, address, script=SCRIPT, *, n_workers=3, gpus=0, method="RS", **keys):
    (folder / "train.py").write_text(script)
    content = {
        "name": "b",
        "script": str(folder / "train.py"),
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
        "arguments": {"epochs": 9},
        "n_workers": n_workers,
        "num_gpus_per_trial": gpus,
    }
    backend = {"name": "ray", "address": address, **keys.pop("backend", {})}
    keys = {"random_seed": 1, "grace_period_seconds": 5, **keys}
    return resolve(load_config({**content, **keys.pop("benchmark", {})}, method, backend=backend, **keys))


def ready(config, folder):
    """The backend, once it has all the slots that were asked for."""
    (folder / "experiment").mkdir(exist_ok=True)
    made = open_backend(config, ExperimentDirectory(folder / "experiment"))
    deadline = time.monotonic() + PATIENCE
    while made.waiting_for_capacity:
        assert time.monotonic() < deadline, "the slots do not come"
        made.wait(1.0)
    return made


class Shifted:
    """A backend whose trials bear other numbers: one of it serves many tests."""

    def __init__(self, backend, first):
        self._backend, self._first = backend, first

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def start(self, trial, attempt, until):
        self._backend.start(replace(trial, id=trial.id + self._first), attempt, until)

    def stop(self, trial_id, patience=0.0):
        self._backend.stop(trial_id + self._first, patience)

    def wait(self, timeout):
        events = self._backend.wait(timeout)
        shifted = [event._replace(trial_id=event.trial_id - self._first) for event in events]
        return [event for event in shifted if not isinstance(event, Placed)]

    def left_over(self, trial_id, attempt, position):
        return self._backend.left_over(trial_id + self._first, attempt, position)

    def checkpoint_bytes(self, trial_id):
        return self._backend.checkpoint_bytes(trial_id + self._first)

    def forget_checkpoint(self, trial_id):
        self._backend.forget_checkpoint(trial_id + self._first)

    @property
    def facts(self):
        return {"backend": "Shifted"} if self._backend.facts["backend"] == "RayBackend" else {}


class TestContract(BackendContract):
    storage: str | None = None

    @pytest.fixture(scope="class")
    @classmethod
    def of_all(cls, ray_cluster, tmp_path_factory):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in ray_cluster.environment.items():
                patch.setenv(name, value)
            folder = tmp_path_factory.mktemp("contract")
            storage = cls.storage and f"file://{folder}/{cls.storage}"
            made = ready(config_of(folder, ray_cluster.address, backend={"storage": storage}), folder)
        yield made
        made.kill()
        made.close()

    @pytest.fixture
    def backend(self, of_all, request):
        while of_all._apart is not None and of_all._apart._copying:  # of the test before
            of_all.wait(1.0)
        first = 10 * [item.nodeid for item in request.session.items].index(request.node.nodeid)
        return Shifted(of_all, first)

    @pytest.fixture
    def configuration(self):
        return {"x": 0.5}


class TestContractWithStorage(TestContract):
    """The same where nothing of the experiment's directory is seen by a trial."""

    storage = "stored checkpoints"


SEEN = """
import os, hpo
seen = {name: os.environ.get(name, "") for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")}
seen |= {"nice": os.nice(0), "rays": [name for name in os.environ if name.startswith("RAY_")]}
with open(os.environ["HPO_CHECKPOINT_DIR"] + "/epoch", "w") as file:
    file.write("1")
hpo.report(epoch=1, loss=0.5, where=os.environ["HPO_EXPERIMENT_DIR"], **seen)
import time; time.sleep(0.3)
"""


def test_trials_have_gpus_of_their_own_and_are_not_slowed_down_by_what_ray_sets(tmp_path, ray_environment):
    config = config_of(tmp_path, ray_environment.address, SEEN, n_workers=4, gpus=1, max_num_trials=4)
    made = ready(config, tmp_path)
    try:
        for trial in range(4):
            made.start(Trial(trial, {"x": 0.5}), 0, 1)
        events = listen(made, count=4)
    finally:
        made.close()
    reports = [event.metrics for event in events if isinstance(event, Report)]
    assert sorted(report["CUDA_VISIBLE_DEVICES"] for report in reports) == ["0", "0", "1", "1"]
    threads = str(max(len(os.sched_getaffinity(0)) // 2, 1))  # two slots fit on a node, by its two GPUs
    assert {(report["nice"], report["OMP_NUM_THREADS"]) for report in reports} == {(os.nice(0), threads)}
    assert all(report["rays"] == [] for report in reports)
    assert {report["where"] for report in reports} == {str(tmp_path / "experiment")}
    places = [event for event in events if isinstance(event, Placed)]
    assert sorted(place.devices for place in places) == [["0"], ["0"], ["1"], ["1"]]
    assert all(place.node for place in places)
    trials = tmp_path / "experiment" / "trials"
    assert sorted(path.name for path in (trials / "0" / "attempt_0").iterdir()) == [
        "reports.jsonl",
        "stderr.log",
        "stdout.log",
    ]
    assert (trials / "0" / "checkpoint" / "epoch").read_text() == "1"


TRAINED = """
import os, sys, time, hpo
arguments = hpo.arguments(x=0.5, epochs=9)
saved = os.path.join(os.environ["HPO_CHECKPOINT_DIR"], "epoch")
first = int(open(saved).read()) if os.path.exists(saved) else 0
if first:
    hpo.report(epoch=first, loss=arguments.x / first)
for epoch in range(first + 1, arguments.epochs + 1):
    with open(TRAINED, "a") as file:
        file.write(f"{os.environ['HPO_TRIAL_ID']} {epoch}\\n")
    with open(saved + ".tmp", "w") as file:
        file.write(str(epoch))
    os.replace(saved + ".tmp", saved)
    hpo.report(epoch=epoch, loss=arguments.x / epoch)
"""


def test_with_a_storage_nothing_is_trained_again_and_nobody_says_so(tmp_path, ray_environment, caplog):
    """The truth is a file to which the script adds every epoch that it trains; the second session resumes."""
    trained = tmp_path / "trained"
    script = TRAINED.replace("TRAINED", repr(str(trained)))
    for trials in (8, 16):
        keys = {"backend": {"storage": f"file://{tmp_path}/storage"}, "max_num_trials": trials, "n_workers": 2}
        config = config_of(tmp_path, ray_environment.address, script, method="ASHA", **keys)
        run_experiment(config, tmp_path / "experiment")
    epochs = trained.read_text().split("\n")[:-1]
    state = load_experiment(tmp_path / "experiment").state
    assert sum(trial.attempt for trial in state.trials.values()) > 2, "some are promoted"
    assert sum(state.again.values()) == len(epochs) - len(set(epochs)) == 0
    assert "starts over" not in caplog.text
    assert "start over" not in caplog.text


def test_a_token_in_the_home_folder_is_enough_to_be_let_in(tmp_path, ray_environment, monkeypatch):
    token = os.environ["RAY_AUTH_TOKEN"]
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text(token)
    ready(config_of(tmp_path, ray_environment.address, n_workers=1), tmp_path).close()


@pytest.mark.slow  # half a minute, after which it is said
def test_a_node_that_does_not_answer_is_said_to_and_that_it_answers_again(tmp_path, ray_environment, caplog):
    made = ready(config_of(tmp_path, ray_environment.address, n_workers=1), tmp_path)
    (actor,) = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.read_bytes().startswith(b"ray::SlotActor") and path.with_name("cwd").readlink() == Path.cwd()
    ]
    try:
        os.kill(actor, signal.SIGSTOP)
        until = time.monotonic() + 60
        while "has not answered for 30 s" not in caplog.text and time.monotonic() < until:
            made.wait(1.0)
        os.kill(actor, signal.SIGCONT)
        while "answers again" not in caplog.text and time.monotonic() < until:
            made.wait(1.0)
    finally:
        os.kill(actor, signal.SIGCONT)
        made.close()
    assert [text for text in caplog.messages if "answer" in text][1].endswith("answers again")


@pytest.mark.slow
def test_a_node_on_which_everything_fails_is_avoided_and_does_not_end_the_experiment(tmp_path, ray_environment, caplog):
    """Two slots, one on each node. That which comes second is broken; the raylet above its hosts tells which it is."""
    script = """
import os, pathlib, time, hpo
raylet = open(f"/proc/{os.getppid()}/status").read().split("PPid:")[1].split()[0]
node = open(f"/proc/{raylet}/status").read().split("PPid:")[1].split()[0]
good = pathlib.Path(os.environ["HPO_EXPERIMENT_DIR"], "good")
try:
    with good.open("x") as file:
        file.write(node)
except FileExistsError:
    time.sleep(0.1)
if good.read_text() != node:
    raise SystemExit("the driver of the GPU is gone")
for epoch in (1, 2, 3):
    time.sleep(0.1)
    hpo.report(epoch=epoch, loss=1 / epoch)
"""
    config = config_of(
        tmp_path, ray_environment.address, script, n_workers=2, gpus=2, max_num_trials=8, benchmark={"preload": None}
    )
    config = replace(config, benchmark=replace(config.benchmark, arguments={"epochs": 3}))
    outcome = run_experiment(config, tmp_path / "experiment")
    assert outcome.reason == "max_num_trials=8 trials are done"
    statuses = load_experiment(tmp_path / "experiment").trials["status"].value_counts().to_dict()
    assert statuses["completed"] >= 7, "only the first to fail can be taken for a bad configuration"
    assert "fails every trial while others do not: it is used no more" in caplog.text


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ({"address": "127.0.0.1:1"}, "backend.address=127.0.0.1:1: no Ray cluster answers there"),
        (
            {"token": "0" * 64},
            "the cluster has another token than RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token",
        ),
        ({"gpus": 3}, "backend.cpus=1, num_gpus_per_trial=3: no node of the cluster has that much"),
        ({"data": "/nowhere/images"}, "benchmark.data=/nowhere/images: there is no such file or folder there"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_mistake_is_one_sentence_and_no_trial_is_started(tmp_path, ray_environment, monkeypatch, mistake, sentence):
    if "token" in mistake:
        monkeypatch.setenv("RAY_AUTH_TOKEN", mistake["token"])
        monkeypatch.setenv("RAY_NUM_REDIS_GET_RETRIES", "2")  # of 20, a second each
    address = mistake.get("address", ray_environment.address)
    benchmark = {"data": mistake["data"]} if "data" in mistake else {}
    config = config_of(tmp_path, address, n_workers=1, gpus=mistake.get("gpus", 0), benchmark=benchmark)
    with pytest.raises(BackendError) as raised:
        run_experiment(config, tmp_path / "experiment")
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "experiment" / "trials").exists()
