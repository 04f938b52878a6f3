"""Keras: weights, optimizer and random numbers go on; what a model has to be before it is resumed."""

import json
import os

import numpy as np
import pytest

from tests.support.extras import extra

os.environ["KERAS_BACKEND"] = "torch"
keras = extra("keras")
from hpo.integrations.keras import KerasReport, resume  # noqa: E402

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]
X = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
Y = (X.sum(1) > 0).astype(int)


def build():
    keras.utils.set_random_seed(3)
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((3,)), dense(8), keras.layers.Dropout(0.5), dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def train(epochs, **options):
    model = build()
    callbacks = [KerasReport()]
    model.fit(
        X, Y, epochs=epochs, initial_epoch=resume(model), callbacks=callbacks, verbose=0, batch_size=20, **options
    )
    return model


def test_a_resumed_training_has_the_results_of_one_in_one_piece(trial, tmp_path, monkeypatch):
    """With Adam's moments, dropout and shuffling."""
    train(2, validation_data=(X, Y))
    resumed = train(4, validation_data=(X, Y))
    reports = trial.reported()
    assert [report["epoch"] for report in reports] == [1, 2, 2, 3, 4]
    assert set(reports[0]) == {"loss", "accuracy", "val_loss", "val_accuracy", "epoch"}
    assert trial.files() == ["epoch-4.weights.h5", "saved.json"]
    monkeypatch.setenv("HPO_CHECKPOINT_DIR", str(tmp_path / "other"))
    whole = train(4, validation_data=(X, Y))
    assert all(map(np.array_equal, whole.get_weights(), resumed.get_weights()))
    assert trial.reported()[5:] == reports[:2] + reports[3:]


def test_what_was_saved_and_not_reported_is_reported_by_the_next_attempt_which_trains_nothing(trial):
    weights = train(2).get_weights()
    lost = trial.forget_the_last_report()
    assert all(map(np.array_equal, train(2).get_weights(), weights))
    assert trial.reported()[1:] == [lost]


def test_a_model_that_could_not_be_resumed_is_refused_at_the_first_attempt(trial):
    unbuilt = keras.Sequential([keras.layers.Dense(1)])
    unbuilt.compile("adam", "mse")
    not_compiled = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    for model in (unbuilt, not_compiled):
        with pytest.raises(ValueError, match=r"keras\.Input .* and compile it"):
            resume(model)


def test_by_hand_it_prints_and_saves_nothing(by_hand, capsys):
    train(2)
    assert [json.loads(line)["epoch"] for line in capsys.readouterr().out.splitlines()] == [1, 2]
    assert list(by_hand.iterdir()) == []
