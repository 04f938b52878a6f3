"""An unmodified Syne Tune training script, with the real package: it pauses, resumes and reports.

syne-tune is in the dev extra: where it is missing these tests fail, they do not skip.
"""

import pytest

from hpo.events.types import Kind, Status
from hpo.results.experiment import load_experiment
from tests.conftest import SCRIPTS, succeeded

pytestmark = pytest.mark.process


@pytest.fixture
def foreign(workplace):
    """A user's benchmark for the script."""
    workplace.benchmark(
        script=str(SCRIPTS / "st_script.py"),
        metric="mean_loss",
        config_space={"lr": {"type": "float", "lower": 1e-3, "upper": 0.1, "log": True}},
        arguments={"epochs": 9},
        max_num_trials=6,
        preload=["syne_tune", "syne_tune.utils"],
        report_channel="syne_tune",
        checkpoint_argument="st_checkpoint_dir",
    )
    return workplace


def test_a_syne_tune_script_pauses_and_resumes_from_its_checkpoint(foreign):
    succeeded(foreign.hpo("benchmark=mine", "method=ASHA", "experiment_tag=t"))
    directory = foreign.directory("t", "ASHA")
    experiment = load_experiment(directory)
    assert {state.status for state in experiment.state.trials.values()} <= {Status.COMPLETED, Status.PAUSED}
    resumed = {event.trial for event in experiment.events if event.kind == Kind.RESUMED}
    assert resumed
    for trial, rows in experiment.reports.groupby("trial_id"):
        assert list(rows["epoch"]) == list(range(1, len(rows) + 1))
        lr = experiment.state.trials[trial].trial.configuration["lr"]
        for epoch, total in zip(rows["epoch"], rows["total"], strict=True):
            assert total == pytest.approx(lr * epoch), "the state did not survive the pause"
    for trial in resumed:
        assert "resume from 1" in (directory / f"trials/{trial}/attempt_1/stdout.log").read_text()


def test_the_report_s_own_columns_are_kept(foreign):
    succeeded(foreign.hpo("benchmark=mine", "method=RS", "experiment_tag=t", "max_num_trials=2"))
    reports = load_experiment(foreign.directory("t")).reports
    assert len(reports) == 18
    assert {"epoch", "mean_loss", "total", "st_worker_timestamp", "st_worker_time", "st_worker_iter"} <= set(reports)
    assert list(reports[reports["trial_id"] == 0]["st_worker_iter"]) == list(range(9))


def test_the_channel_and_the_checkpoint_argument_can_be_given_on_the_command_line(foreign):
    foreign.benchmark(
        script=str(SCRIPTS / "st_script.py"),
        metric="mean_loss",
        config_space={"lr": {"type": "float", "lower": 1e-3, "upper": 0.1}},
        preload=["syne_tune", "syne_tune.utils"],
    )
    out = succeeded(
        foreign.hpo(
            "benchmark=mine", "method=RS", "experiment_tag=t", "benchmark.report_channel=syne_tune",
            "benchmark.checkpoint_argument=st_checkpoint_dir", "max_num_trials=1",
        )
    )  # fmt: skip
    assert "1 completed" in out
    assert (foreign.directory("t") / "trials/0/checkpoint/model.json").is_file()


def test_the_script_runs_in_a_fresh_interpreter_too(foreign):
    succeeded(
        foreign.hpo("benchmark=mine", "method=RS", "experiment_tag=t", "max_num_trials=1", "benchmark.preload=null")
    )
    assert len(load_experiment(foreign.directory("t")).reports) == 9
