"""Functions that were written for Ray Tune: what they report there is heard here, also after they were interrupted."""

import importlib
import sys

import pytest

import hpo

RAY = """
from pathlib import Path
import shutil


class Checkpoint:
    def __init__(self, path):
        self.path = path

    @classmethod
    def from_directory(cls, path):
        return cls(path)

    def to_directory(self, path):
        return shutil.copytree(self.path, path)


def report(metrics, *, checkpoint=None):
    raise RuntimeError("outside of Ray")


def get_checkpoint():
    raise RuntimeError("outside of Ray")
"""
"""What stands in for `ray.tune`: it does less than nothing."""
OBJECTIVE = """
import tempfile
from pathlib import Path

from ray import tune
from ray.tune import report


def objective(config):
    found = tune.get_checkpoint()
    begin = int((Path(found.path) / "step").read_text()) if found is not None else 0
    for step in range(begin, 10**6):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "step").write_text(str(step + 1))
            report({"loss": (config["x"] - 0.3) ** 2 + 1 / (step + 1)}, checkpoint=tune.Checkpoint.from_directory(folder))


def plain(config):
    tune.report({"loss": config["x"], "seen": config["epochs"]})
    assert config["epochs"] == 2
    tune.report({"loss": config["x"] / 2, "seen": config["epochs"]})
"""


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """A folder with a script for Ray, which lies on the path of this process and of trials."""
    (tmp_path / "ray" / "tune").mkdir(parents=True)
    (tmp_path / "ray" / "__init__.py").write_text("")
    (tmp_path / "ray" / "tune" / "__init__.py").write_text(RAY)
    (tmp_path / "for_ray.py").write_text(OBJECTIVE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("ray", "ray.tune", "for_ray"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield tmp_path
    for name in ("ray", "ray.tune", "for_ray"):
        sys.modules.pop(name, None)


def heard(function, report, checkpoints, monkeypatch):
    """The module of a function whose reports are heard."""
    from hpo.functions.ray_trainable import hear_ray

    monkeypatch.setenv("HPO_CHECKPOINT_DIR", str(checkpoints))
    module = importlib.import_module("for_ray")
    hear_ray(getattr(module, function), report)
    return module


def test_reports_are_counted_on_from_the_checkpoint_and_one_checkpoint_is_kept(scripts, monkeypatch):
    checkpoints = scripts / "checkpoints"
    checkpoints.mkdir()
    told = []

    def report(metrics):
        told.append(metrics["training_iteration"])
        if told[-1] in (3, 5):
            raise SystemExit

    with pytest.raises(SystemExit):
        heard("objective", report, checkpoints, monkeypatch).objective({"x": 0.5})
    for name in ("ray", "ray.tune", "for_ray"):  # another process
        del sys.modules[name]
    with pytest.raises(SystemExit):
        heard("objective", report, checkpoints, monkeypatch).objective({"x": 0.5})
    assert told == [1, 2, 3, 4, 5]
    assert [path.name for path in checkpoints.iterdir()] == ["iteration-5"]
    assert (checkpoints / "iteration-5" / "step").read_text() == "5"


def test_a_checkpoint_that_was_being_written_is_none(scripts, monkeypatch):
    checkpoints = scripts / "checkpoints"
    (checkpoints / "incomplete").mkdir(parents=True)
    module = heard("objective", print, checkpoints, monkeypatch)
    assert module.tune.get_checkpoint() is None


@pytest.mark.process
@pytest.mark.parametrize(("function", "method", "reports"), [("objective", "ASHA", 9), ("plain", "RS", 2)])
def test_a_trainable_is_tuned_as_it_is(scripts, function, method, reports):
    benchmark = {
        "name": "trainable",
        "function": f"{scripts / 'for_ray.py'}:{function}",
        "metric": "loss",
        "mode": "min",
        "resource_attr": "training_iteration",
        "max_resource_attr": "epochs",
        "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
        "arguments": {"epochs": reports},
        "max_num_trials": 4,
        "num_gpus_per_trial": 0,
    }
    outcome = hpo.run_experiment(hpo.load_config(benchmark, method, random_seed=1), scripts / "out")
    result = hpo.load_experiment(outcome.directory)
    assert result.reports["training_iteration"].max() == reports
    assert not result.reports.duplicated(["trial_id", "training_iteration"]).any()
