"""docs/frameworks.md, section by section: each script is checked and tuned as the page says, with the real library."""

import itertools
import json
import re
import shlex

import pytest

from hpo import load_experiment
from tests.support.extras import only_with_extras
from tests.support.pages import ROOT, blocks, commands, run, save

INTRODUCTION, *SECTIONS = re.split(r"^(?=## )", (ROOT / "docs" / "frameworks.md").read_text(), flags=re.MULTILINE)
TITLES = [section.partition("\n")[0].removeprefix("## ") for section in SECTIONS]
pytestmark = pytest.mark.process
only_with_extras("Lightning, Keras and others")


@pytest.fixture
def prepare(tmp_path):
    """A function that saves what a section needs; returns its commands."""

    def prepare(title):
        found = []
        for _, name, text in blocks("\n".join([INTRODUCTION, *SECTIONS])):
            if name:
                save(tmp_path, name, text)
        for language, _, text in blocks(SECTIONS[TITLES.index(title)]):
            found += commands(text) if language == "bash" else []
        return found

    return prepare


def test_no_section_is_without_a_command_and_no_command_without_a_section(prepare):
    assert all(prepare(title) for title in TITLES)
    assert not [text for language, _, text in blocks(INTRODUCTION) if language == "bash"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("title", TITLES)
def test_a_promoted_trial_goes_on_from_its_checkpoint(title, prepare, tmp_path):
    for command in prepare(title):
        run(command, tmp_path, shell=True)
    tag = next(word for word in shlex.split(command) if word.startswith("experiment_tag=")).partition("=")[2]
    (directory,) = (tmp_path / "outputs" / tag).glob("*/ASHA/seed_0")
    experiment = load_experiment(directory)
    resource = experiment.config.benchmark.resource_attr

    assert experiment.status == "complete"
    assert len(experiment.trials) == 9
    assert set(experiment.trials.status) <= {"paused", "completed"}
    reached = []
    for trial in sorted(directory.glob("trials/*")):
        counted = [
            [json.loads(line)[resource] for line in attempt.joinpath("reports.jsonl").read_text().splitlines()]
            for attempt in sorted(trial.glob("attempt_*"))
        ]
        assert counted[0][0] == 1
        for before, after in itertools.pairwise(counted):
            assert after == list(range(before[-1], after[-1] + 1)), "it begins with what was reported last, again"
            reached.append(before[-1])
    assert {1, 3} <= set(reached), "a trial was promoted from each rung"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("title", TITLES)
def test_ended_and_resumed_it_reports_what_it_would_have_reported(title, prepare, tmp_path):
    """As `hpo check-script` finds out: ended in the middle of an epoch, and promoted."""
    (command,) = prepare(title)
    checking = re.sub(r"(^|\s)hpo ", r"\1hpo check-script --units 4 --json ", command)
    found = json.loads(run(re.sub(r"experiment_tag=\S+", "", checking), tmp_path, shell=True))
    assert {finding["check"]: finding["verdict"] for finding in found} == dict.fromkeys(
        ("reports", "resources", "end", "order", "SIGTERM", "resume", "promotion"), "ok"
    )


FUNCTION = """
import hpo


def objective(config, report):
    import numpy as np
    import xgboost

    from hpo.integrations.xgboost import XGBoostReport, resume

    x = np.random.default_rng(0).normal(size=(80, 3))
    data = xgboost.DMatrix(x, x.sum(1) > 0)
    model, left = resume(9)
    settings = {"objective": "binary:logistic", "nthread": 1, **config}
    xgboost.train(settings, data, left, evals=[(data, "a")], xgb_model=model, callbacks=[XGBoostReport()])


if __name__ == "__main__":
    space = {"eta": {"type": "float", "lower": 0.01, "upper": 1.0}}
    given = {"metric": "a-logloss", "mode": "min", "resource_attr": "round", "max_resource": 9}
    hpo.tune(objective, space, **given, method="ASHA", max_num_trials=9, n_workers=2, experiment_tag="function")
"""


def test_in_a_function_a_callback_ends_the_trial_where_the_method_wants_it(tmp_path):
    save(tmp_path, "tune.py", FUNCTION)
    run("python tune.py", tmp_path, shell=True)
    (directory,) = (tmp_path / "outputs" / "function").glob("*/ASHA/seed_0")
    attempts = load_experiment(directory).trials
    last = [
        json.loads(path.read_text().splitlines()[-1])["round"] for path in directory.glob("trials/*/*/reports.jsonl")
    ]
    assert sorted(set(last)) == [1, 3, 9]
    assert len(last) == attempts.attempts.sum() > 9
