"""An experiment that has used up its budget without one finite result has failed, wherever one looks, until it is retried."""

import json
import re
import zipfile

import pytest

from hpo.analysis.method_comparison import compare
from hpo.cli.run import compose_jobs
from hpo.errors import ConfigError
from hpo.events.objective import Aim, Objective
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Kind, Status
from hpo.planning.directory_state import DirectoryState, place_of
from hpo.results.experiment import load_experiment
from hpo.results.failure import failure_of
from tests.backends.test_simulated import SPACE, make_table
from tests.conftest import error_of, succeeded

pytestmark = pytest.mark.process

SCRIPT = """
import argparse
import sys
from pathlib import Path
from hpo import report

parser = argparse.ArgumentParser()
for name in ("x", "epochs"):
    parser.add_argument(f"--{name}", type=float)
args = parser.parse_args()
how = Path(__file__).with_name("how").read_text()
if how == "crash":
    sys.exit("the data are not there")
for epoch in range(1, int(args.epochs) + 1):
    report(epoch=epoch, loss=float("nan") if how == "diverge" else args.x + 1 / epoch)
"""


def command(method="RS", tag="t"):
    return ("benchmark=mine", f"method={method}", f"experiment_tag={tag}", "random_seed=1")


@pytest.fixture
def broken(workplace):
    """A working directory whose script does what the file `how` says: crash, diverge, or train."""
    workplace.benchmark(script=str(workplace.write("train.py", SCRIPT)), max_num_trials=2)
    workplace.write("how", "crash")
    return workplace


@pytest.mark.parametrize(("method", "how"), [("RS", "crash"), ("ASHA", "diverge"), ("SYNC-HYPERBAND", "crash")])
def test_it_says_so_each_time_and_is_trained_again_when_asked_to(broken, method, how):
    broken.write("how", how)
    directory = broken.directory("t", method)
    for _ in range(2):
        result = broken.hpo(*command(method))
        sentence = error_of(result)
        assert result.stderr.splitlines()[-1].endswith(sentence)
        assert "no finite loss" in sentence
        assert "retry=failed" in sentence
        if how == "diverge":
            assert re.search(r": loss was NaN at epoch 1 of trial [01];", sentence)
            assert "stderr.log" not in sentence
        else:
            assert sentence.endswith(f"outputs/t/mine/{method}/seed_0/trials/0/attempt_0/stderr.log")
        before = load_experiment(directory)
        assert (before.status, before.metadata["status"]) == ("failed", "failed")
        assert len(before.state.trials) == 2
        assert before.state.sessions == 1, "the second call must train nothing"

    broken.write("how", "train")
    error_of(broken.hpo(*command(method)))
    out = succeeded(broken.hpo(*command(method), "retry=failed"))
    assert "complete: max_num_trials=2 trials are done" in out
    assert "2 of them to train a failed one again" in out
    after = load_experiment(directory)
    assert (after.status, after.metadata["status"]) == ("complete", "complete")
    assert after.events[: len(before.events)] == before.events
    configurations = [state.trial.configuration for state in after.state.trials.values()]
    assert configurations[2:] == configurations[:2]
    assert [e.body.get("retries") for e in after.events if e.kind == Kind.STARTED] == [None, None, 0, 1]
    assert (directory / "best.yaml").is_file()
    assert "0 different" in succeeded(broken.verb("replay", "t"))
    assert "had finished already" in succeeded(broken.hpo(*command(method)))
    assert "had finished already" in succeeded(broken.hpo(*command(method), "retry=failed"))


def test_where_those_trained_again_failed_too_their_log_is_the_one_to_look_at(broken):
    error_of(broken.hpo(*command()))
    sentence = error_of(broken.hpo(*command(), "retry=failed"))
    assert sentence.endswith("/trials/2/attempt_0/stderr.log")


def test_an_experiment_that_ended_by_max_failures_goes_on_and_retries_what_failed(broken):
    broken.benchmark(script=str(broken.path / "train.py"), max_num_trials=4, n_workers=1)
    assert "max_failures=3" in error_of(broken.hpo(*command()))
    assert load_experiment(broken.directory("t")).metadata["status"] == "interrupted"
    broken.write("how", "train")
    succeeded(broken.hpo(*command(), "retry=failed"))
    state = load_experiment(broken.directory("t")).state
    assert [trial.status for trial in state.trials.values()] == [Status.FAILED] * 3 + [Status.COMPLETED] * 4
    assert state.counted_trials == 4


def test_without_retry_a_mended_script_trains_what_the_budget_has_left(broken):
    error_of(broken.hpo(*command()))
    broken.write("how", "train")
    succeeded(broken.hpo(*command(), "max_num_trials=3"))
    statuses = [trial.status for trial in load_experiment(broken.directory("t")).state.trials.values()]
    assert statuses == [Status.FAILED, Status.FAILED, Status.COMPLETED]


def test_a_failed_trial_of_a_complete_experiment_is_trained_again_and_a_diverged_one_is_not(workplace):
    workplace.benchmark(arguments={"epochs": 3, "how": "nan"}, script=..., command=["sh", "train.sh"], max_num_trials=3)
    workplace.write(
        "train.sh",
        'case "$HPO_TRIAL_ID" in 0) exit 3;; 1) loss=NaN;; *) loss=1;; esac\n'
        'echo "{\\"epoch\\": 3, \\"loss\\": $loss}" >> "$HPO_REPORT_FILE"\n',
    )
    succeeded(workplace.hpo(*command()))
    succeeded(workplace.hpo(*command(), "retry=failed"))
    events = load_experiment(workplace.directory("t")).events
    assert [e.body.get("retries") for e in events if e.kind == Kind.STARTED] == [None, None, None, 0]


def test_a_budget_that_is_used_up_leaves_nothing_to_train_again_and_that_is_said(broken):
    broken.write("how", "diverge")
    broken.benchmark(script=str(broken.path / "train.py"), max_num_trials=..., max_num_evaluations=3)
    error_of(broken.hpo(*command()))
    broken.write("how", "train")
    result = broken.hpo(*command(), "retry=failed")
    assert "max_num_evaluations=3 reports are in, so that no failed trial is trained again; give more" in result.stderr
    error_of(result)
    succeeded(broken.hpo(*command(), "retry=failed", "max_num_evaluations=9"))


@pytest.fixture
def failed(broken):
    """Tag t: RS of seed 0 failed, ASHA and RS of the other seeds are complete."""
    error_of(broken.hpo(*command()))
    broken.write("how", "train")
    succeeded(broken.hpo(*command("ASHA"), "num_seeds=3"))
    succeeded(broken.hpo(*command(), "start_seed=1", "num_seeds=3"))
    return broken


def test_wherever_complete_is_known_failed_is(failed):
    status = succeeded(failed.verb("status", "t"))
    assert "RS/seed_0: failed (max_num_trials=2 trials are done)" in status
    assert "trials/0/attempt_0/stderr.log" in status
    watched = succeeded(failed.verb("watch", "t"))
    assert "mine RS seed 0: failed: max_num_trials=2 trials are done" in watched
    assert "failed" in succeeded(failed.verb("watch", "--once", "outputs/t/mine/RS"))
    out = failed.path / "x.zip"
    succeeded(failed.verb("export", "outputs/t/mine/RS/seed_0", "--output", str(out)))
    with zipfile.ZipFile(out) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("metadata.json"))
        assert json.loads(archive.read(name))["status"] == "failed"
    result = compare(failed.path / "outputs/t")
    assert len(result.scores) == 4
    (warning,) = (warning for warning in result.warnings if "without one finite result" in warning)
    assert "RS/seed_0" in warning
    plan = succeeded(failed.verb("plan", *failed.command(*command())[3:]))
    assert DirectoryState.FAILED.value in plan


def test_a_comparison_of_which_nothing_is_left_says_why(broken):
    for method in ("RS", "ASHA"):
        error_of(broken.hpo(*command(method)))
    with pytest.raises(ConfigError, match=r"nothing to compare .*left out 2 experiment\(s\) that failed"):
        compare(broken.path / "outputs/t")


def test_a_plan_counts_the_trials_that_are_trained_again(failed, monkeypatch):
    monkeypatch.chdir(failed.path)
    (job,) = compose_jobs(["--config-dir", str(failed.path / "conf"), *command(), "retry=failed"])
    assert (place_of(job).standing, place_of(job).detail) == (DirectoryState.RETRIED, "2 of 2")


def test_a_command_without_a_tag_stays_with_its_tag_until_it_is_complete(broken):
    words = ("benchmark=mine", "method=RS", "random_seed=1")
    error_of(broken.hpo(*words))
    (tag,) = (broken.path / "outputs").iterdir()
    assert json.loads((tag / "tag.json").read_text())["complete"] is False
    broken.write("how", "train")
    succeeded(broken.hpo(*words, "retry=failed"))
    assert list((broken.path / "outputs").iterdir()) == [tag]
    assert json.loads((tag / "tag.json").read_text())["complete"] is True


def test_simulated_experiments_fail_alike(workplace):
    table = make_table()
    table.metrics["loss"][:] = float("nan")
    table.save(workplace.path / "bowl")
    workplace.benchmark(
        script=..., table=str(workplace.path / "bowl"), config_space=SPACE, arguments={"epochs": 9},
        max_wallclock_time=...,
    )  # fmt: skip
    sentence = error_of(workplace.hpo(*command()))
    assert "no finite loss" in sentence
    assert "loss was NaN at epoch 1 of trial 0;" in sentence
    result = workplace.hpo(*command(tag="s"), "num_seeds=2")
    assert result.returncode == 1
    assert "0 of 2 experiments complete" in result.stdout
    assert "seed_1: no finite loss" in result.stdout


def test_a_wrong_value_of_retry_is_answered_with_what_there_is(workplace):
    sentence = error_of(workplace.hpo(*command(), "retry=all"))
    assert "retry=all" in sentence
    assert "failed" in sentence


def over(objective, *events):
    """The state of an experiment that has used up its budget, after these events of trial 0."""
    finished = Event(Kind.FINISHED, 9.0, 9.0, None, None, None, {"reason": "max_num_trials=1 trials are done"})
    return ExperimentState(objective).apply_all([*events, finished])


def started():
    return Event(Kind.STARTED, 0.0, 0.0, 0, 0, None, {"configuration": {"x": 0.5}, "until": 3})


def reported(resource, **metrics):
    return Event(Kind.REPORTED, 1.0, 1.0, 0, 0, resource, {"metrics": metrics, "decision": "CONTINUE", "position": 1})


def ended(status, **body):
    return Event(Kind.ENDED, 2.0, 2.0, 0, 0, None, {"status": str(status), **body})


NAN = float("nan")


@pytest.mark.parametrize(
    ("objective", "metrics", "said"),
    [
        (Objective("loss", "min", "epoch"), {"loss": NAN}, "loss was NaN at epoch 2 of trial 0"),
        (Objective("loss", "min", None), {"loss": 10**400}, "loss was infinite at report 2 of trial 0"),
        (
            Objective("acc", "max", "epoch", aims=(Aim("acc", "max"), Aim("size", "min"))),
            {"acc": 0.5, "size": -float("inf")},
            "size was infinite at epoch 2 of trial 0",
        ),
    ],
)
def test_a_result_that_is_not_finite_is_named_with_its_resource_and_its_trial(tmp_path, objective, metrics, said):
    state = over(objective, started(), reported(2, **metrics), ended(Status.COMPLETED))
    sentence = failure_of(state, tmp_path)
    assert f": {said}; " in sentence
    assert "see " not in sentence


def test_where_one_diverged_and_crashed_both_are_said(tmp_path):
    state = over(
        Objective("loss", "min", "epoch"),
        started(),
        reported(2, loss=NAN),
        ended(Status.FAILED, error="exit code 1"),
    )
    sentence = failure_of(state, tmp_path)
    assert "loss was NaN at epoch 2 of trial 0" in sentence
    assert sentence.endswith("see " + str(tmp_path / "hpo.log")), "there is no log of the trial here"
