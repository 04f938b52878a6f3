"""`hpo confirm` on real trainings: paired fresh seeds, resumed, continued, and told in words and as JSON."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from hpo.config.reading import read_config
from hpo.confirmation.confirm import confirm
from hpo.confirmation.text import as_dict
from hpo.errors import ConfigError
from hpo.history.follower import Follower
from hpo.results.experiment import load_experiment
from tests.conftest import error_of, succeeded
from tests.support import forking

pytestmark = pytest.mark.process

SCRIPT = """
import argparse, os, random, time
import hpo
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float); parser.add_argument("--noise", type=float, default=1)
parser.add_argument("--own", type=float, default=0)
a = parser.parse_args()
seed = int(os.environ["HPO_TRIAL_SEED"])
time.sleep(float(os.environ.get("TRAINING", 0)))
noise = a.noise * random.Random(seed).random() + a.own * random.Random(f"{seed} {a.x}").random()
hpo.report(epoch=1, score=100 - (a.x - 2) ** 2 + noise, seed=seed)
"""

BENCHMARK = """
name: noisy
script: train.py
metric: score
mode: max
resource_attr: epoch
config_space:
  x: {type: float, lower: 0, upper: 10}
num_gpus_per_trial: 0
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "conf" / "benchmark").mkdir(parents=True)
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "conf" / "benchmark" / "noisy.yaml").write_text(BENCHMARK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*words):
    return forking.run(*words, cwd=Path.cwd(), env=dict(os.environ))


def search(*overrides):
    base = [
        "--config-dir=conf",
        "benchmark=noisy",
        "method=RS",
        "experiment_tag=s",
        "max_num_trials=8",
        "random_seed=3",
    ]
    succeeded(command(*base, *overrides))


def folder_of(seed):
    return f"outputs/s-confirm/noisy/CONFIRM/seed_{seed}"


def test_a_search_is_confirmed_with_fresh_paired_seeds_and_the_same_call_trains_nothing_again(folder):
    search()
    said = succeeded(command("confirm", "s", "--top", "2", "--seeds", "3"))
    searched = load_experiment("outputs/s/noisy/RS/seed_0")
    best = max(event.body["metrics"]["score"] for event in searched.events if "metrics" in event.body)
    first = load_experiment(folder_of(0))
    (seed,) = {event.body["metrics"]["seed"] for event in first.events if "metrics" in event.body}
    assert seed not in {event.body["metrics"]["seed"] for event in searched.events if "metrics" in event.body}
    assert len(first.state.trials) == 3, "two and the default"
    (found,) = confirm("s", top=2, seeds=3)
    content = as_dict(found)
    assert content["candidates"][0]["search_value"] == best
    # The noise belongs to the seed alone, so that the first candidate's lead is exact and the second seed ends it.
    chosen = content["candidates"][content["chosen"]]
    assert content["chosen"] == 0 or chosen["search_value"] < best
    assert chosen["low"] <= chosen["mean"] <= chosen["high"]
    assert content["optimism"] == pytest.approx(chosen["search_value"] - chosen["mean"])
    assert content["trainings"] < content["trainings_without_stopping"] == 9
    assert f"Take {chosen['label']}" in said
    assert "It is better than the default" in said
    stored = json.loads((folder / "outputs/s-confirm/noisy/CONFIRM/confirmation.json").read_text())
    assert stored == content
    # The search's own best.yaml says so: its trial is the first candidate.
    content = as_dict(found)
    first, kept = content["candidates"][0], yaml.safe_load(Path("outputs/s/noisy/RS/seed_0/best.yaml").read_text())
    assert kept["confirmed"] == {
        **{key: first[key] for key in ("mean", "low", "high", "seeds")},
        "chosen": content["chosen"] == 0,
    }
    told = f"confirmed: score {first['mean']:.4g} ["
    assert told in succeeded(command("status", "s"))
    succeeded(command("report", "outputs/s/noisy/RS/seed_0"))
    assert "by hpo confirm" in Path("outputs/s/noisy/RS/seed_0/report.html").read_text()
    follower = Follower(Path("outputs/s/noisy/RS/seed_0"))
    follower.advance()
    assert follower.seen().confirmed.startswith(told)
    # A search that goes on and finds another best has one that is not confirmed.
    Path("outputs/s/noisy/RS/seed_0/confirmation.json").write_text(json.dumps({**content, "candidates": []}))
    search("max_num_trials=9")
    assert yaml.safe_load(Path("outputs/s/noisy/RS/seed_0/best.yaml").read_text())["confirmed"] is False


def test_a_killed_confirmation_goes_on_and_more_seeds_continue_it(folder, monkeypatch):
    monkeypatch.setenv("TRAINING", "0.3")
    search("+benchmark.arguments.own=400")
    process = subprocess.Popen([sys.executable, "-m", "hpo", "confirm", "s", "--seeds", "2"])
    while not (folder / folder_of(0) / "events.db").exists():
        time.sleep(0.05)
    time.sleep(0.4)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (found,) = confirm("s", seeds=2)
    assert {len(values) for values in found.values} == {2}
    before = [list(values) for values in found.values]
    (more,) = confirm("s", seeds=4)
    assert [values[:2] for values in more.values] == before
    assert max(map(len, more.values)) > 2
    assert read_config(folder / folder_of(1) / "experiment.yaml").paired_training_seeds
    assert "0 different" in succeeded(command("replay", "s-confirm"))


def test_a_script_that_ignores_its_seed_is_named(folder):
    search("+benchmark.arguments.noise=0")
    assert "the program does not use its seed (HPO_TRIAL_SEED)" in succeeded(command("confirm", "s", "--seeds", "2"))


def test_what_cannot_be_confirmed_is_one_sentence(folder):
    search("max_num_trials=1", "benchmark.points_to_evaluate=[{x: 1}]")
    with pytest.raises(ConfigError, match="--seeds 1: use 2 or more"):
        confirm("s", seeds=1)
    with pytest.raises(ConfigError, match="--top 0: use 1 or more"):
        confirm("s", top=0)
    assert "there is no experiment" in error_of(command("confirm", "nothing"))
    (found,) = confirm("s", seeds=2)
    assert [candidate.configuration for candidate in found.candidates] == [{"x": 1.0}], "the best is the default"
    with pytest.raises(ConfigError, match="has no experiment to confirm"):
        confirm("s-confirm")


def test_a_search_without_a_result_is_one_sentence(folder):
    (folder / "train.py").write_text("raise SystemExit(3)")
    command("--config-dir=conf", "benchmark=noisy", "method=RS", "experiment_tag=s", "max_num_trials=2")
    assert "no trial of noisy has a result yet" in error_of(command("confirm", "s"))


def test_several_objectives_are_one_sentence(folder):
    path = folder / "conf" / "benchmark" / "noisy.yaml"
    path.write_text(BENCHMARK.replace("metric: score\nmode: max", "objectives: {score: max, seed: min}"))
    search("max_num_trials=2")
    assert "hpo confirm knows one objective, and noisy has several" in error_of(command("confirm", "s"))
