"""XGBoost: which rounds are reported, under which names, and how many are left."""

import json

import numpy as np
import pytest

from hpo.integrations import library_checkpoint
from tests.support.extras import extra

xgboost = extra("xgboost")
from hpo.integrations.xgboost import XGBoostReport, resume  # noqa: E402

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]
X = np.random.default_rng(0).normal(size=(80, 3))
Y = (X.sum(1) > 0).astype(int)
SETTINGS = {"objective": "binary:logistic", "max_depth": 2, "nthread": 1, "eval_metric": ["logloss", "error"]}


def train(rounds, **options):
    model, left = resume(rounds)
    data = xgboost.DMatrix(X, Y)
    evals = [(data, "train"), (data, "valid")]
    report = XGBoostReport(**options)
    return xgboost.train(SETTINGS, data, left, evals=evals, xgb_model=model, callbacks=[report], verbose_eval=False)


def test_each_round_is_reported_with_the_names_that_xgboost_prints(trial):
    train(3)
    first, *_ = reports = trial.reported()
    assert [report["round"] for report in reports] == [1, 2, 3]
    assert set(first) == {"train-logloss", "train-error", "valid-logloss", "valid-error", "round"}


def test_a_resumed_training_has_the_rounds_and_the_results_of_one_in_one_piece(trial, tmp_path, monkeypatch):
    train(2)
    whole = train(5)
    resumed = trial.reported()
    assert [report["round"] for report in resumed] == [1, 2, 2, 3, 4, 5]
    assert whole.num_boosted_rounds() == 5
    monkeypatch.setenv("HPO_CHECKPOINT_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("HPO_REPORT_FILE", str(tmp_path / "other.jsonl"))
    other = train(5)
    in_one = [json.loads(line) for line in (tmp_path / "other.jsonl").read_text().splitlines()]
    assert in_one == resumed[:2] + resumed[3:]
    assert np.array_equal(whole.predict(xgboost.DMatrix(X)), other.predict(xgboost.DMatrix(X)))


def test_what_was_saved_and_not_reported_is_reported_by_the_next_attempt_which_has_nothing_left(trial):
    train(2)
    lost = trial.forget_the_last_report()
    assert train(2).num_boosted_rounds() == 2
    assert trial.reported()[1:] == [lost]


def test_every_few_rounds_and_the_last(trial):
    train(10, every=4)
    assert [report["round"] for report in trial.reported()] == [4, 8, 10]
    train(13, every=4)
    assert [report["round"] for report in trial.reported()][3:] == [10, 12, 13]
    assert trial.files() == ["round-13.ubj", "saved.json"]


def test_an_estimator_of_its_scikit_learn_interface(trial):
    for rounds in (2, 4):
        model, left = resume(rounds)
        estimator = xgboost.XGBClassifier(n_estimators=left, callbacks=[XGBoostReport()], n_jobs=1)
        estimator.fit(X, Y, eval_set=[(X, Y)], xgb_model=model, verbose=False)
    assert [(report["round"], "validation_0-logloss" in report) for report in trial.reported()] == [
        (number, True) for number in (1, 2, 2, 3, 4)
    ]


def test_a_cross_validation_reports_means_and_has_no_checkpoint(trial):
    table = xgboost.cv(SETTINGS, xgboost.DMatrix(X, Y), 3, nfold=3, callbacks=[XGBoostReport()])
    assert [report["test-logloss"] for report in trial.reported()] == pytest.approx(list(table["test-logloss-mean"]))
    assert library_checkpoint.find_checkpoint() is None


def test_by_hand_it_prints_and_saves_nothing(by_hand, capsys):
    train(2)
    assert [json.loads(line)["round"] for line in capsys.readouterr().out.splitlines()] == [1, 2]
    assert list(by_hand.iterdir()) == []
