"""A script that is edited while an experiment runs: each trial knows its code, and what is said counts by that."""

import sys
from pathlib import Path

import pytest

from hpo.results.experiment import load_experiment
from tests.conftest import error_of, succeeded

pytestmark = pytest.mark.process

STEPS = (Path(__file__).parents[1] / "support/scripts/steps.py").read_text()
COMMAND = ("benchmark=mine", "method=RS", "experiment_tag=t")
EDITING = (
    STEPS
    + """
if os.environ["HPO_TRIAL_ID"] == "3":
    with open(__file__, "a") as file:
        file.write("# edited\\n")
"""
)
"""The fourth of its trials, whose reports are made by then, edits it: what starts after it runs another program."""


@pytest.fixture
def edited(workplace):
    """Ten trials wanted, of which the last six start after the edit."""
    workplace.write("train.py", EDITING)
    workplace.benchmark(script="train.py", n_workers=1, max_num_trials=10)
    return workplace


def test_each_trial_is_counted_by_the_code_that_it_ran(edited):
    result = edited.hpo(*COMMAND)
    summary = succeeded(result)
    (line,) = result.stderr.splitlines()
    assert line.startswith(
        "hpo: train.py has changed while the experiment runs: trial 4 is the first to start with the new"
    )
    assert "the results of 4 trial(s) are those of the former code" in line
    assert "code     version 1 ran in trials 0-3; version 2 ran in trials 4-9" in summary
    history = load_experiment(edited.directory("t")).state.code
    assert [history.of[trial] for trial in range(10)] == [[0]] * 4 + [[1]] * 6
    status = succeeded(edited.verb("status", "t"))
    assert "code train.py changed while session 1 ran, before trial 4 was started" in status
    assert "code version 1 ran in trials 0-3; version 2 ran in trials 4-9" in status
    again = edited.hpo(*COMMAND, "max_num_trials=12")
    assert succeeded(again)
    assert again.stderr == "", "the code is what the last trials ran"


def test_the_sentence_on_resuming_counts_the_trials_of_other_code(edited):
    succeeded(edited.hpo(*COMMAND))
    (edited.path / "train.py").write_text(EDITING)  # as the first four had it
    line = edited.hpo(*COMMAND, "max_num_trials=11").stderr
    assert "train.py has changed since the last session: the results of 6 trial(s) are those of the former code" in line
    history = load_experiment(edited.directory("t")).state.code
    assert history.of[10] == [0]
    assert len(history.versions) == 2


def test_a_refused_change_ends_the_experiment_before_the_next_start(edited):
    sentence = error_of(edited.hpo(*COMMAND, "code_changes=refuse"))
    assert "code_changes=refuse: train.py has changed while the experiment ran" in sentence
    state = load_experiment(edited.directory("t")).state
    assert (len(state.trials), len(state.code.versions)) == (4, 1)
    (edited.path / "train.py").write_text(STEPS)
    error_of(edited.hpo(*COMMAND, "code_changes=refuse"))
    (edited.path / "train.py").write_text(EDITING)
    succeeded(edited.hpo(*COMMAND, "code_changes=refuse"))


def test_a_refused_change_is_none_of_an_experiment_that_starts_nothing_more(edited):
    succeeded(edited.hpo(*COMMAND, "code_changes=refuse", "max_num_trials=4"))


def test_a_program_may_write_logs_notes_and_data_beside_itself(workplace):
    program = workplace.write("train", f"#!{sys.executable}\n{STEPS}")
    program.chmod(0o755)
    workplace.write("notes.txt", "1")
    workplace.write("helper.sh", "1")
    workplace.benchmark(script=..., command=["./train"], max_num_trials=2)
    succeeded(workplace.hpo(*COMMAND))
    for name in ("notes.txt", "r.log", "data.csv"):
        workplace.write(name, "2")
    result = workplace.hpo(*COMMAND, "max_num_trials=3", "code_changes=refuse")
    assert (succeeded(result) != "", result.stderr) == (True, "")
    workplace.write("helper.sh", "2")
    assert "helper.sh has changed" in error_of(workplace.hpo(*COMMAND, "max_num_trials=4", "code_changes=refuse"))
