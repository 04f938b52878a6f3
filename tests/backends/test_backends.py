"""Every backend, by the same suite."""

import time

import pytest

from hpo.backends.base import Backend
from hpo.backends.simulated import SimulatedBackend
from hpo.config.reading import load_config, resolve
from hpo.randomness import Randomness
from hpo.store.directory import ExperimentDirectory
from tests.backends.test_local import make
from tests.backends.test_simulated import make_table
from tests.support.backend_contract import BackendContract
from tests.support.fakes import Clock, FakeBackend

SCRIPT = """
import argparse, os, pathlib, time
import hpo
parser = argparse.ArgumentParser()
parser.add_argument("--x"); parser.add_argument("--epochs", type=int)
a = parser.parse_args()
saved = pathlib.Path(os.environ["HPO_CHECKPOINT_DIR"]) / "epoch"
for epoch in range(int(saved.read_text()) + 1 if saved.exists() else 1, a.epochs + 1):
    time.sleep(0.02)
    saved.write_text(str(epoch))
    hpo.report(epoch=epoch, loss=1 / epoch)
"""


@pytest.mark.process
class TestLocal(BackendContract):
    @pytest.fixture
    def backend(self, tmp_path):
        made = make(tmp_path, SCRIPT)
        yield made
        made.kill()
        made.close()

    @pytest.fixture
    def configuration(self):
        return {"x": 0.5}

    def test_the_folder_of_a_checkpoint_is_measured(self, backend, configuration, tmp_path):
        (tmp_path / "experiment" / "trials" / "0" / "checkpoint").mkdir(parents=True)
        (tmp_path / "experiment" / "trials" / "0" / "checkpoint" / "model").write_bytes(bytes(1000))
        assert backend.checkpoint_bytes(0) >= 1000


class TestSimulated(BackendContract):
    @pytest.fixture
    def backend(self):
        return SimulatedBackend(make_table(), Randomness(0, 0))

    @pytest.fixture
    def configuration(self):
        return {"x": 5, "y": 3}

    def test_waking_ends_the_waiting(self, backend):
        backend.wake()
        begin = time.monotonic()
        backend.wait(1e6)  # virtual seconds
        assert time.monotonic() - begin < 10


class TestTheStandInOfTheTests(BackendContract):
    @pytest.fixture
    def backend(self):
        return FakeBackend(Clock())

    @pytest.fixture
    def configuration(self):
        return {"x": 0.5}


class Mine(FakeBackend):
    """A user's backend, made from what stands beside its `_target_`."""

    def __init__(self, speed: float = 1.0) -> None:
        super().__init__(Clock(), seconds=lambda *_: 1 / speed)
        self.speed = speed


def config_of(backend, **keys):
    benchmark = {
        "name": "b",
        "command": ["true"],
        "metric": "error",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
        "arguments": {"epochs": 9},
        "num_gpus_per_trial": 0,
    }
    return resolve(load_config(benchmark, "RS", random_seed=0, backend=backend, **keys))


def test_a_class_of_the_users_is_opened_with_its_options(tmp_path):
    from hpo.backends.backend_choice import open_backend

    spec = {"name": "mine", "_target_": "tests.backends.test_backends.Mine", "speed": 4.0}
    made = open_backend(config_of(spec, trusted_modules=["tests"]), ExperimentDirectory(tmp_path))
    assert isinstance(made, Backend)
    assert made.speed == 4.0


def test_a_whole_experiment_runs_on_a_class_of_the_users(tmp_path):
    from hpo import load_experiment, run_experiment

    spec = {"name": "mine", "_target_": "tests.backends.test_backends.Mine"}
    config = config_of(spec, trusted_modules=["tests"], max_num_trials=3)
    assert run_experiment(config, tmp_path / "e").reason == "max_num_trials=3 trials are done"
    assert len(load_experiment(tmp_path / "e").reports) == 27
    assert load_experiment(tmp_path / "e").metadata["backend"] == "Mine"
