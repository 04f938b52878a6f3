"""LightGBM: which rounds are reported, under which names, and how many are left."""

import json

import numpy as np
import pytest

from hpo.integrations import library_checkpoint
from tests.support.extras import extra

lightgbm = extra("lightgbm")
from hpo.integrations.lightgbm import LightGBMReport, resume  # noqa: E402

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]
X = np.random.default_rng(0).normal(size=(200, 3))
Y = (X.sum(1) > 0).astype(int)
SETTINGS = {
    "objective": "binary",
    "num_leaves": 4,
    "num_threads": 1,
    "metric": ["auc", "binary_logloss"],
    "verbose": -1,
}


def train(rounds, **options):
    model, left = resume(rounds)
    data = lightgbm.Dataset(X, Y)
    report = LightGBMReport(**options)
    return lightgbm.train(SETTINGS, data, left, data.create_valid(X, Y), init_model=model, callbacks=[report])


def test_each_round_is_reported_with_the_set_and_the_metric_for_a_name(trial):
    train(3)
    assert [(report.pop("round"), set(report)) for report in trial.reported()] == [
        (number, {"valid_0-auc", "valid_0-binary_logloss"}) for number in (1, 2, 3)
    ]


def test_a_resumed_training_has_the_rounds_and_the_results_of_one_in_one_piece(trial, tmp_path, monkeypatch):
    train(2)
    whole = train(5)
    resumed = trial.reported()
    assert [report["round"] for report in resumed] == [1, 2, 2, 3, 4, 5]
    assert whole.num_trees() == 5
    monkeypatch.setenv("HPO_CHECKPOINT_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("HPO_REPORT_FILE", str(tmp_path / "other.jsonl"))
    other = train(5)
    in_one = [json.loads(line) for line in (tmp_path / "other.jsonl").read_text().splitlines()]
    for one, piece in zip(in_one, resumed[:2] + resumed[3:], strict=True):
        assert one == pytest.approx(piece, rel=1e-9)
    assert np.allclose(whole.predict(X), other.predict(X), rtol=1e-9)


@pytest.mark.parametrize("rounds", [1, 4])
def test_a_training_that_lacks_no_round_does_its_last_again_for_lightgbm_refuses_to_train_none(trial, rounds):
    train(rounds)
    lost = trial.forget_the_last_report()
    again = train(rounds)
    assert again.num_trees() == rounds
    assert trial.reported()[rounds - 1 :] == [pytest.approx(lost, rel=1e-9)]
    assert train(rounds + 2).num_trees() == rounds + 2


def test_every_few_rounds_and_the_last(trial):
    train(10, every=4)
    assert [report["round"] for report in trial.reported()] == [4, 8, 10]
    train(13, every=4)
    assert [report["round"] for report in trial.reported()][3:] == [10, 12, 13]
    assert trial.files() == ["round-13.txt", "saved.json"]


def test_an_estimator_of_its_scikit_learn_interface(trial):
    for rounds in (2, 4):
        model, left = resume(rounds)
        estimator = lightgbm.LGBMClassifier(n_estimators=left, num_leaves=4, n_jobs=1, verbose=-1)
        estimator.fit(X, Y, eval_set=[(X, Y)], init_model=model, callbacks=[LightGBMReport()])
    assert [report["round"] for report in trial.reported()] == [1, 2, 2, 3, 4]


def test_a_cross_validation_reports_means_and_has_no_checkpoint(trial):
    found = lightgbm.cv(SETTINGS, lightgbm.Dataset(X, Y), 3, nfold=3, callbacks=[LightGBMReport()])
    assert [report["valid-auc"] for report in trial.reported()] == pytest.approx(found["valid auc-mean"])
    assert library_checkpoint.find_checkpoint() is None


def test_by_hand_it_prints_and_saves_nothing(by_hand, capsys):
    train(2)
    assert [json.loads(line)["round"] for line in capsys.readouterr().out.splitlines()] == [1, 2]
    assert list(by_hand.iterdir()) == []
