"""What loops of libraries report by themselves."""

import re

import pytest

from hpo.proposing.frameworks import read_framework
from hpo.proposing.source import read_sources


@pytest.fixture
def framework(tmp_path):
    def of(text):
        (tmp_path / "train.py").write_text(text)
        return read_framework(read_sources(tmp_path / "train.py"))

    return of


def values(found, lines):
    return {name: [m[1] for line in lines if (m := re.search(p, line))] for name, (p, _) in found.patterns.items()}


KERAS = "import keras\nm.compile(metrics=['accuracy'])\nm.fit(x, y, epochs=3, validation_data=(x, y){})\n"


def test_keras_prints_its_epochs(framework):
    lines = [
        "Epoch 2/3",
        "9/29 - accuracy: 0.7",
        "29/29 - accuracy: 0.7 - loss: 0.75 - val_accuracy: 0.76 - val_loss: 0.66",
    ]
    assert values(framework(KERAS.format("")), lines) == {
        "epoch": ["2"],
        "val_accuracy": ["0.76"],
        "val_loss": ["0.66"],
    }


def test_a_silent_fit_or_one_without_validation_is_no_report(framework):
    assert framework(KERAS.format(", verbose=0")) is None
    assert framework(KERAS.format("").replace("validation_data=(x, y)", "shuffle=True")) is None


@pytest.mark.parametrize("quote", ["", "'"])
def test_a_trainer_prints_its_evaluations_with_numbers_as_texts_since_transformers_5(framework, quote):
    found = framework(
        "from transformers import Trainer, TrainingArguments\nTrainer(args=TrainingArguments(eval_strategy='epoch'))\n"
    )
    line = f"{{'eval_loss': {quote}0.69{quote}, 'eval_runtime': {quote}1.5{quote}, 'epoch': {quote}2{quote}}}"
    assert values(found, [line]) == {"eval_loss": ["0.69"], "epoch": ["2"]}
    assert not found.arguments


def test_a_trainer_that_is_not_told_to_evaluate_reports_nothing(framework):
    assert framework("from transformers import Trainer\nTrainer(args=None)\n") is None


def test_xgboost_prints_its_rounds(framework):
    text = "import xgboost as xgb\nxgb.train({'eval_metric': 'mlogloss'}, d, evals=[(d, 'train'), (e, 'test')])\n"
    found = framework(text)
    lines = ["[0]\ttrain-mlogloss:0.74720\ttest-mlogloss:0.8"]
    assert values(found, lines) == {"round": ["0"], "train_mlogloss": ["0.74720"], "test_mlogloss": ["0.8"]}
    assert (found.metrics[0], found.first) == ("test_mlogloss", 0)
    assert framework(text.replace("evals=", "verbose_eval=False, evals=")) is None


def test_a_trainer_saves_each_epoch_where_its_script_goes_on_from_the_last_checkpoint(framework):
    text = "from transformers import HfArgumentParser, Trainer\nHfArgumentParser(A)\nTrainer(args=None)\n"
    given = {argument.name: argument.given for argument in framework(text).arguments}
    assert given == {"eval_strategy": "epoch"}
    saving = "from transformers.trainer_utils import get_last_checkpoint\nlast = get_last_checkpoint(folder)\n"
    given = {argument.name: argument.given for argument in framework(text + saving).arguments}
    assert given == {"eval_strategy": "epoch", "save_strategy": "epoch", "save_total_limit": 1}
