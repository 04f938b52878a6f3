"""Trials on the nodes of a real Ray cluster of this machine."""

import time
from dataclasses import replace

import pytest

from hpo import load_config
from hpo.backends.choice import open_backend
from hpo.config.reading import resolve
from hpo.events.values import Placed
from hpo.store.directory import ExperimentDirectory
from tests.backends.test_backends import SCRIPT
from tests.support.backend_contract import PATIENCE, BackendContract

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("ray")]


def config_of(folder, address, script=SCRIPT, *, n_workers=3, gpus=0, **keys):
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
    return resolve(load_config({**content, **keys.pop("benchmark", {})}, "RS", backend=backend, **keys))


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
        shifted = [replace(event, trial_id=event.trial_id - self._first) for event in events]
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


@pytest.fixture(scope="module")
def of_all(ray_cluster, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ray_cluster.environment.items():
            patch.setenv(name, value)
        folder = tmp_path_factory.mktemp("contract")
        made = ready(config_of(folder, ray_cluster.address), folder)
    yield made
    made.kill()
    made.close()


class TestContract(BackendContract):
    @pytest.fixture
    def backend(self, of_all, request):
        first = 10 * [item.nodeid for item in request.session.items].index(request.node.nodeid)
        return Shifted(of_all, first)

    @pytest.fixture
    def configuration(self):
        return {"x": 0.5}
