"""`hpo.tune`: a function from a module, a script or a notebook is an experiment like any other."""

import subprocess
import sys

import pytest

import hpo
from hpo.errors import ConfigError
from hpo.results.experiment import load_experiment
from tests.conftest import succeeded

pytestmark = pytest.mark.process

SPACE = {"x": {"type": "float", "lower": 0.0, "upper": 1.0}}
MODULE = """
import os
from hpo import checkpoint

def objective(config, report):
    state = checkpoint_of()
    first = int(state.read_text()) if state.exists() else 0
    for epoch in range(first + 1, 100):
        state.write_text(str(epoch))
        report(epoch=epoch, loss=(config["x"] - 0.3) ** 2 + 1 / epoch, first=first, scale=config["scale"])

def checkpoint_of():
    return checkpoint.directory() / "epoch"

def broken(config, report):
    raise ValueError("no luck")

def once(config, report):
    return config["x"]

def both(config, report):
    return {"loss": config["x"], "cost": 1 - config["x"]}
"""
SCRIPT = """
import hpo
import numpy as np

SCALE = 3

def objective(config, report):
    return float(np.square(config["x"] * SCALE))

if __name__ == "__main__":
    outcome = hpo.tune(
        objective, {"x": {"type": "float", "lower": 0, "upper": 1}}, metric="loss", mode="min", max_num_trials=3,
        experiment_tag="t", show=False,
    )
    print(outcome.status, outcome.best["trial_id"], outcome.directory)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with a module, which is on the path as a notebook's folder is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine.py").write_text(MODULE)
    yield tmp_path
    sys.modules.pop("mine", None)


def tune(objective, **keys):
    given = {"metric": "loss", "mode": "min", "max_num_trials": 4, "experiment_tag": "t", "show": False, **keys}
    return hpo.tune(objective, SPACE, **given)


def test_a_function_of_a_module_is_tuned_paused_and_resumed_from_its_checkpoint(place):
    import mine

    keys = {"resource_attr": "epoch", "max_resource": 9, "method": "ASHA", "arguments": {"scale": 7}, "n_workers": 2}
    outcome = tune(mine.objective, **keys)
    assert outcome.status == "complete"
    experiment = load_experiment("t")
    assert experiment.config.benchmark.function == "mine:objective"
    assert set(experiment.reports["scale"]) == {7}
    assert max(experiment.reports["epoch"]) == 9
    resumed = experiment.reports[experiment.reports["first"] > 0]
    assert len(resumed) > 0
    assert not sum(experiment.state.again.values()), "a promoted trial went on from its checkpoint"
    assert tune(mine.objective, **keys).skipped
    assert "0 different" in succeeded(_hpo("replay", "t"))


def _hpo(*words):
    return subprocess.run([sys.executable, "-m", "hpo", *words], capture_output=True, text=True, check=False)


def test_a_script_that_is_run_stores_the_source_of_its_function(place):
    (place / "script.py").write_text(SCRIPT)
    for _ in range(2):
        done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, check=False)
        assert succeeded(done).startswith("complete ")
    text = (place / "outputs/t/objective/BO/seed_0/objective.py").read_text()
    assert "import numpy as np" in text
    assert "SCALE = 3" in text
    reproduced = _hpo("reproduce", "t", "--run", "--output", "again")
    assert "loss: equal in all 1" in succeeded(reproduced)


def test_without_a_resource_the_method_is_bo_and_with_one_asha_gp_time(place):
    import mine

    assert tune(mine.once).config.method.name == "BO"
    keys = {"resource_attr": "epoch", "max_resource": 9, "arguments": {"scale": 1}, "experiment_tag": "u"}
    assert tune(mine.objective, **keys).config.method.name == "ASHA-GP-TIME"


def test_a_function_with_several_objectives_returns_a_mapping_and_gives_a_front(place):
    import mine

    keys = {"metric": None, "mode": None, "objectives": {"loss": "min", "cost": {"mode": "min", "log": True}}}
    outcome = tune(mine.both, **keys)
    assert outcome.config.method.name == "MO-BO"
    assert [entry["loss"] for entry in outcome.front] == sorted(entry["configuration"]["x"] for entry in outcome.front)
    assert len(outcome.front) == 4
    with pytest.raises(hpo.HPOError, match=r"it returned 0\.5; with several objectives return a mapping"):
        tune(mine.once, **keys, experiment_tag="u")


def test_an_objective_that_raises_is_a_failed_trial_with_its_line(place):
    import mine

    outcome = tune(mine.broken, max_num_trials=2)
    assert outcome.status == "failed"
    end = next(event for event in load_experiment("t").events if event.kind == "ended")
    assert "ValueError: no luck" in end.body["error"]
    assert end.body["where"].endswith("mine.py:16")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"resource_attr": "epoch"}, "give both"),
        ({"mode": "least"}, "least"),
        ({"method": "ASHAA"}, "ASHAA"),
        ({"no_such_key": 1}, "no_such_key"),
        ({"launcher": "slurm"}, "hpo.tune runs its trials here"),
        ({"arguments": {"token": "${oc.env:NOT_THERE}"}}, "no environment variable NOT_THERE"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(place, keys, words):
    import mine

    with pytest.raises(ConfigError, match=words):
        tune(mine.once, **keys)
    assert not (place / "outputs").exists()


def test_a_method_of_ones_own_is_found_in_its_folder(place):
    import mine

    (place / "conf" / "method").mkdir(parents=True)
    (place / "conf" / "method" / "Mine.yaml").write_text("defaults: [SOBOL, _self_]\nname: Mine\n")
    outcome = tune(mine.once, method="Mine", config_dir="conf", max_num_trials=1)
    assert outcome.config.method.name == "Mine"
    assert outcome.config.method.searcher["_target_"] == "hpo.searchers.SobolSearcher"


def test_progress_and_a_summary_are_shown(place, capsys):
    import mine

    tune(mine.once, show=True)
    out = capsys.readouterr().out
    assert "once · BO · seed 0: complete" in out
