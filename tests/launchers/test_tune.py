"""`hpo.tune`: a function from a module, a script or a notebook is an experiment like any other."""

import importlib
import subprocess
import sys

import pytest

import hpo
from hpo.errors import ConfigError
from hpo.results.experiment import load_experiment
from tests.conftest import error_of, succeeded

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
PLAIN = """
def objective(config, report):
    for epoch in range(1, 6):
        report(epoch=epoch, loss=config["x"] / epoch)
"""
LOADING = '''"""Loads its data first."""
from __future__ import annotations
import sys
from pathlib import Path
import numpy as np
import hpo

DATA = np.array([float(Path(__file__).with_name("data.txt").read_text())])
DATA *= 2 if "--twice" in sys.argv else 1

def objective(config):
    return float(DATA[0] * config["x"])

SPACE = {"x": {"type": "float", "lower": 0, "upper": 1}}
if __name__ == "__main__":
    outcome = hpo.tune(objective, SPACE, metric="loss", mode="min", max_num_trials=3, experiment_tag="t", show=False)
    print(outcome.status)
'''
TWICE = """
hpo.tune(objective, SPACE, metric="loss", mode="min", max_num_trials=1, experiment_tag="first", show=False)
hpo.tune(objective, SPACE, metric="loss", mode="min", max_num_trials=1, experiment_tag="second")
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


def test_a_function_without_checkpoints_gets_a_method_that_never_pauses_which_is_said_first(place, capsys):
    (place / "plain.py").write_text(PLAIN)
    keys = {"resource_attr": "epoch", "max_resource": 5, "max_num_trials": 8}
    for number, objective in enumerate((importlib.import_module("plain").objective, "plain:objective")):
        outcome = tune(objective, **keys, experiment_tag=f"p{number}", show=True)
        assert outcome.config.method.name == "BO-MEDIAN"
        assert capsys.readouterr().out.startswith(
            "method=BO-MEDIAN, which never pauses a trial: objective saves no checkp"
        )
        assert sum(outcome.state.again.values()) == 0


def test_a_script_that_loads_its_data_at_its_top_is_stored_up_to_the_call_which_each_trial_runs(place):
    (place / "data.txt").write_text("4")
    (place / "script.py").write_text(LOADING)
    done = subprocess.run([sys.executable, "script.py", "--twice"], capture_output=True, text=True, check=False)
    assert succeeded(done).splitlines()[-1] == "complete"
    losses = [event.body["metrics"]["loss"] for event in load_experiment("t").events if event.kind == "reported"]
    points = [trial.trial.configuration["x"] for trial in load_experiment("t").state.trials.values()]
    assert losses == [8 * x for x in points]
    assert "outcome" not in (place / "outputs/t/objective/BO/seed_0/objective.py").read_text()


def test_a_script_that_would_tune_again_in_its_trials_is_told_so(place):
    (place / "data.txt").write_text("4")
    (place / "twice.py").write_text(LOADING.partition("if __name__")[0] + TWICE)
    done = subprocess.run([sys.executable, "twice.py"], capture_output=True, text=True, check=False)
    assert 'put the call below if __name__ == "__main__":' in done.stderr
    assert not list(place.glob("outputs/second/**/outputs"))


def test_a_mistake_that_a_script_does_not_catch_is_a_sentence_with_its_line_and_no_traceback(place):
    (place / "script.py").write_text(SCRIPT.replace('mode="min"', 'mode="least"'))
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "least" in error_of(done)
    assert done.stderr.rstrip().endswith("(script.py:11)")
    assert "Traceback" not in done.stderr
    (place / "script.py").write_text("import hpo\ntry:\n    hpo.tune(len, {})\nexcept hpo.HPOError:\n    1 / 0\n")
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, check=False)
    assert "ZeroDivisionError" in done.stderr, "other errors are shown as ever"
    assert "Traceback" in done.stderr


def test_a_function_with_several_objectives_returns_a_mapping_and_gives_a_front(place):
    import mine

    keys = {"metric": None, "mode": None, "objectives": {"loss": "min", "cost": {"mode": "min", "log": True}}}
    outcome = tune(mine.both, **keys)
    assert outcome.config.method.name == "MO-BO"
    assert [entry["loss"] for entry in outcome.front] == sorted(entry["configuration"]["x"] for entry in outcome.front)
    assert len(outcome.front) == 4
    with pytest.raises(hpo.HPOError, match=r"it returned 0\.5; for a multi-objective benchmark return a mapping"):
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
