"""`hpo reproduce`: any trial from its printed command, or run again and compared."""

import itertools
import json
import subprocess
import sys
from dataclasses import replace

import pytest
import yaml

from hpo import load_config, load_experiment, run_experiment
from hpo.checking.reproduction import Reproduction, compare, stored_trial
from hpo.errors import ConfigError
from hpo.events.training_legs import legs_of
from hpo.events.types import Kind, Status
from hpo.reports.experiment_page import experiment_page
from tests.conftest import SCRIPTS, error_of, succeeded

pytestmark = pytest.mark.process

SEEDED = """
import argparse, json, os, random
from pathlib import Path
import hpo

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float, required=True)
parser.add_argument("--epochs", type=int, required=True)
options = parser.parse_args()
checkpoint = Path(os.environ["HPO_CHECKPOINT_DIR"]) / "state.json"
state = json.loads(checkpoint.read_text()) if checkpoint.exists() else {"epoch": 0, "noise": 0.0}
for epoch in range(state["epoch"] + 1, options.epochs + 1):
    noise = random.Random(f"{os.environ['HPO_TRIAL_SEED']} {epoch} {options.epochs}").random()
    state = {"epoch": epoch, "noise": state["noise"] + noise}
    checkpoint.write_text(json.dumps(state))
    hpo.report(epoch=epoch, loss=(options.x - 0.3) ** 2 + 1 / epoch + 0.01 * state["noise"], pid=os.getpid())
"""
"""What it reports depends on its seed, on its checkpoint, and on where each attempt was sent."""


def benchmark(script, **keys):
    return {
        "name": "mine", "script": str(script), "metric": "loss", "mode": "min", "resource_attr": "epoch",
        "max_resource_attr": "epochs", "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
        "arguments": {"epochs": 9}, "n_workers": 2, "max_num_trials": 6, "num_gpus_per_trial": 0, **keys,
    }  # fmt: skip


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """ASHA over a script whose numbers depend on seed, checkpoint and milestones."""
    folder = tmp_path_factory.mktemp("seeded")
    (folder / "train.py").write_text(SEEDED)
    path = folder / "outputs" / "t" / "mine" / "ASHA" / "seed_0"
    run_experiment(load_config(benchmark(folder / "train.py"), "ASHA", experiment_tag="t", random_seed=5), path)
    return path


def promoted(experiment):
    """The trial with the most attempts."""
    return max(experiment.state.trials.values(), key=lambda trial: (trial.attempt, -trial.trial.id)).trial.id


def test_the_best_trial_comes_out_equal_though_it_was_promoted_twice(seeded, tmp_path):
    experiment = load_experiment(seeded)
    reproduction = Reproduction(experiment, str(promoted(experiment)), tmp_path / "again")
    assert len(reproduction.stored.legs) >= 2
    again = reproduction.run()
    assert again.exit is None
    losses = {resource: metrics["loss"] for resource, metrics in again.reports.items()}
    stored = {event.resource: event.body["metrics"]["loss"] for event in experiment.events
              if event.kind == Kind.REPORTED and event.trial == reproduction.stored.trial.id}  # fmt: skip
    assert losses == stored
    found = {
        difference.name: difference.different for difference in compare(reproduction.stored.reports, again.reports)
    }
    assert found["loss"] == 0
    assert found["pid"] == len(stored), "another process it was"


def test_the_printed_script_trains_the_same_without_hpo_s_help(seeded, tmp_path):
    experiment = load_experiment(seeded)
    trial = promoted(experiment)
    text = Reproduction(experiment, str(trial), tmp_path / "again").script()
    assert not (tmp_path / "again").exists(), "printing touches nothing"
    subprocess.run(["sh", "-eu", "-c", text], check=True, env={"PATH": "/usr/bin:/bin"}, timeout=100)
    lines = [line for path in sorted((tmp_path / "again" / "trials" / str(trial)).glob("attempt_*/reports.jsonl"))
             for line in path.read_text().splitlines()]  # fmt: skip
    stored = [event.body["metrics"]["loss"] for event in experiment.events
              if event.kind == Kind.REPORTED and event.trial == trial]  # fmt: skip
    assert [json.loads(line)["loss"] for line in lines] == stored


def test_each_trial_of_the_verb_is_equal_and_it_says_so(seeded, tmp_path, workplace):
    out = succeeded(workplace.verb("reproduce", str(seeded), "--trial", "0", "--run"))
    assert "loss: equal in all" in out
    assert out.splitlines()[1].startswith("  loss"), "the metric comes first"
    assert "pid: differs" in out
    best = load_experiment(seeded).best["trial_id"]
    assert f"HPO_TRIAL_ID={best}" in succeeded(workplace.verb("reproduce", str(seeded)))


def test_another_number_is_told_and_fails(workplace, tmp_path):
    """The script has changed since: it is one better at every epoch."""
    script = workplace.write("train.py", SEEDED)
    workplace.benchmark(script=str(script), arguments={"epochs": 3}, max_num_trials=2)
    succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t"))
    script.write_text(SEEDED.replace("1 / epoch", "1 / epoch - 1"))
    result = workplace.verb("reproduce", "t", "--trial", "1", "--run", "--output", "again")
    assert result.returncode == 1
    assert "loss: differs in 3 of 3, most at epoch " in result.stdout
    assert "train.py has changed since trial" in result.stderr
    assert "Traceback" not in result.stderr


def test_it_works_from_another_folder(workplace, tmp_path):
    workplace.write("code/train.py", SEEDED)
    workplace.benchmark(script="code/train.py", arguments={"epochs": 3}, max_num_trials=1)
    succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t"))
    elsewhere = replace(workplace, path=tmp_path / "elsewhere")
    elsewhere.path.mkdir()
    out = succeeded(elsewhere.verb("reproduce", str(workplace.path / "outputs/t"), "--run"))
    assert "loss: equal in all 3" in out
    assert [path.name for path in elsewhere.path.iterdir()] == ["reproduced"]
    assert f"cd {workplace.path}" in succeeded(
        elsewhere.verb("reproduce", str(workplace.path / "outputs/t"), "--output", "x")
    )


def test_a_trial_that_was_stopped_early_is_stopped_there_again(tmp_path):
    path = tmp_path / "outputs"
    config = benchmark(SCRIPTS / "steps.py", arguments={"epochs": 27, "sleep": 0.02})
    run_experiment(load_config(config, "ASHA-STOP", experiment_tag="t", random_seed=5), path)
    experiment = load_experiment(path)
    stopped = next(t for t in experiment.state.trials.values() if t.status == Status.STOPPED and t.resource < 27)
    again = Reproduction(experiment, str(stopped.trial.id), tmp_path / "again").run()
    assert max(again.reports) == stopped.resource
    assert again.exit is None


def test_a_failing_trial_fails_again_with_its_error(workplace):
    script = workplace.write("fail.py", "import sys\nsys.exit('no luck with this one')\n")
    workplace.benchmark(script=str(script), max_num_trials=1)
    error_of(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", "max_failures=9"))
    out = succeeded(workplace.verb("reproduce", "t", "--trial", "0", "--run"))
    assert "it failed with exit code 1: no luck with this one" in out
    assert "as stored: no luck with this one" in out


def test_a_program_that_reads_json_gets_its_file(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import json, sys, hpo\narguments = json.loads(open(sys.argv[1]).read())\n"
        "for epoch in range(1, arguments['epochs'] + 1):\n    hpo.report(epoch=epoch, loss=arguments['x'] / epoch)\n"
    )
    config = benchmark(script, arguments={"epochs": 2}, max_num_trials=1, arguments_as_json=True, command=None)
    run_experiment(load_config(config, "RS", experiment_tag="t", random_seed=5), tmp_path / "out")
    experiment = load_experiment(tmp_path / "out")
    text = Reproduction(experiment, "0", tmp_path / "typed").script()
    subprocess.run(["sh", "-eu", "-c", text], check=True, timeout=100)
    lines = (tmp_path / "typed" / "trials" / "0" / "attempt_0" / "reports.jsonl").read_text().splitlines()
    expected = [event.body["metrics"]["loss"] for event in experiment.events if event.kind == Kind.REPORTED]
    assert [json.loads(line)["loss"] for line in lines] == expected
    assert sorted(Reproduction(experiment, "best", tmp_path / "again").run().reports) == [1, 2]


def test_legs_that_came_to_nothing_are_left_out(seeded):
    experiment = load_experiment(seeded)
    for trial_id, state in experiment.state.trials.items():
        stored = stored_trial(experiment, trial_id)
        assert stored.legs[-1] >= stored.resource == state.resource
        assert all(leg < stored.resource for leg in stored.legs[:-1])


@pytest.mark.parametrize(("trial", "sentence"), [("6", "has the trials 0 to 5"), ("-1", "name one"), ("x", "or best")])
def test_a_trial_that_is_none_is_one_sentence(seeded, tmp_path, trial, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Reproduction(load_experiment(seeded), trial, tmp_path / "again")


def test_a_folder_with_something_in_it_is_left_alone(seeded, tmp_path):
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(ConfigError, match="holds something"):
        Reproduction(load_experiment(seeded), "0", tmp_path)


def test_a_sweep_and_a_simulation_are_one_sentence_each(complete):
    assert "name one of them" in error_of(complete.verb("reproduce", "l"))
    run = ["benchmark=generated_typical", "method=RS", "experiment_tag=s", "max_num_trials=3"]
    succeeded(complete.hpo(*run))
    assert "looked up in a table" in error_of(complete.verb("reproduce", "s"))


def test_not_a_number_equals_itself_and_text_is_compared():
    nan = float("nan")
    stored = {1: {"a": nan, "b": "x", "c": 1.0}, 2: {"a": 0.5, "b": "x", "c": 2.0}}
    again = {1: {"a": nan, "b": "y", "c": 1.5}, 2: {"a": 0.5, "b": "x", "c": 2.25}, 3: {"a": 0.0}}
    a, b, c = compare(stored, again)
    assert (a.compared, a.different) == (2, 0)
    assert (b.different, b.at) == (1, 1)
    assert (c.different, c.at, c.stored, c.again) == (2, 1, 1.0, 1.5)


def test_the_interpreter_is_named_so_that_the_line_can_be_pasted_anywhere(seeded, tmp_path):
    text = Reproduction(load_experiment(seeded), "0", tmp_path / "again").script()
    assert f"{sys.executable} " in text


# ---------------------------------------------------------------------- trainings whose hyperparameters changed


@pytest.fixture(scope="module")
def population(tmp_path_factory):
    """PBT over the same script, and a trial that went on from one that had gone on from another."""
    folder = tmp_path_factory.mktemp("population")
    (folder / "train.py").write_text(SEEDED)
    told = benchmark(folder / "train.py", max_num_trials=None, n_workers=1)  # with one everything is decided as ever
    config = load_config(told, "PBT", experiment_tag="t", random_seed=5)
    config.method.scheduler |= {"mutable": ["x"], "population": 4, "interval": 2}
    run_experiment(config, folder / "out")
    experiment = load_experiment(folder / "out")
    trials = [state.trial for state in experiment.state.trials.values()]
    grandchild = next(t.id for t in trials if t.source is not None and trials[t.source].source is not None)
    return experiment, grandchild


def stored_losses(experiment, trial_id):
    """Of the whole training: what a trial reported, and its sources up to where it went on from them."""
    losses = {}
    for leg in legs_of(experiment.state.trials, trial_id):
        losses |= {e.resource: e.body["metrics"]["loss"] for e in experiment.events if e.kind == Kind.REPORTED
                   and e.trial == leg.trial_id and e.resource <= leg.end}  # fmt: skip
    return losses


def test_a_training_of_several_trials_comes_out_equal_leg_by_leg(population, tmp_path):
    experiment, trial = population
    reproduction = Reproduction(experiment, str(trial), tmp_path / "again")
    assert len(reproduction.stored.whole) == 3
    again = reproduction.run()
    assert again.exit is None
    assert {resource: metrics["loss"] for resource, metrics in again.reports.items()} == stored_losses(
        experiment, trial
    )


def test_the_printed_script_copies_the_checkpoints_from_leg_to_leg(population, tmp_path):
    experiment, trial = population
    text = Reproduction(experiment, str(trial), tmp_path / "again").script()
    subprocess.run(["sh", "-eu", "-c", text], check=True, env={"PATH": "/usr/bin:/bin"}, timeout=100)
    lines = [line for path in (tmp_path / "again" / "trials").glob("*/attempt_*/reports.jsonl")
             for line in path.read_text().splitlines()]  # fmt: skip
    told = {one["epoch"]: one["loss"] for one in map(json.loads, lines)}
    assert told == stored_losses(experiment, trial)


def test_schedule_yaml_has_the_legs_of_the_best_and_best_yaml_names_it(population):
    experiment, _ = population
    state = experiment.state
    best = yaml.safe_load((experiment.directory / "best.yaml").read_text())
    legs = legs_of(state.trials, best["trial_id"], best["epoch"])
    assert len(legs) > 1
    assert best["schedule"] == "schedule.yaml"
    schedule = yaml.safe_load((experiment.directory / "schedule.yaml").read_text())
    assert schedule["legs"][0]["from"] == 0
    assert schedule["legs"][-1]["to"] == best["epoch"]
    for before, after in itertools.pairwise(schedule["legs"]):
        assert before["to"] == after["from"]
        assert state.trials[after["trial"]].trial.source == before["trial"]
    assert all(leg["configuration"] == dict(state.trials[leg["trial"]].trial.configuration) for leg in schedule["legs"])
    page = experiment_page(experiment, experiment.directory / "report.html")
    assert "The schedule" in page
    assert "The thick line is the schedule of the best result" in page
    assert "Which trial continued from which" in page
