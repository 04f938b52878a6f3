"""scikit-learn: a model that is saved by skops learns on as if it had never been away; what skops does not know is named."""

import json

import numpy as np
import pytest

from tests.support.extras import extra

sklearn = extra("sklearn.linear_model")
extra("skops.io")
from sklearn.base import BaseEstimator  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

from hpo.integrations.sklearn import report, resume  # noqa: E402

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]
X = np.random.default_rng(0).normal(size=(200, 3))
Y = (X.sum(1) > 0).astype(int)
MODELS = {
    "sgd": lambda: sklearn.SGDClassifier(),  # which shuffles by NumPy's generator
    "adam": lambda: MLPClassifier((4,), random_state=1),
    "momentum": lambda: MLPClassifier((4,), solver="sgd", random_state=1),
}


def train(make, epochs):
    model, done = resume(make())
    for epoch in range(done + 1, epochs + 1):
        model.partial_fit(X, Y, classes=[0, 1])
        report(model, epoch=epoch, accuracy=model.score(X, Y))
    return model


@pytest.mark.parametrize("name", MODELS)
def test_it_learns_on_as_if_it_had_never_been_away(name, trial, tmp_path, monkeypatch):
    np.random.seed(3)  # noqa: NPY002
    train(MODELS[name], 2)
    np.random.seed(4)  # noqa: NPY002  another process draws something else, until it resumes
    resumed = train(MODELS[name], 5)
    assert [found["epoch"] for found in trial.reported()] == [1, 2, 2, 3, 4, 5]
    assert trial.files() == ["epoch-5.skops", "saved.json"]
    monkeypatch.setenv("HPO_CHECKPOINT_DIR", str(tmp_path / "other"))
    np.random.seed(3)  # noqa: NPY002
    whole = train(MODELS[name], 5)
    weights = "coef_" if name == "sgd" else "coefs_"
    assert all(map(np.array_equal, getattr(whole, weights), getattr(resumed, weights)))


def test_what_was_saved_and_not_reported_is_reported_by_the_next_attempt(trial):
    train(MODELS["sgd"], 2)
    lost = trial.forget_the_last_report()
    train(MODELS["sgd"], 2)
    assert trial.reported()[1:] == [lost]


class Shifted(BaseEstimator):
    """A user's own."""

    def partial_fit(self, x, y=None, **_):
        self.mean_ = x.mean(0)
        return self


def test_a_type_that_skops_does_not_know_is_named_at_the_first_report_with_what_to_do(trial):
    name = f"{__name__}.Shifted"
    with pytest.raises(TypeError, match=rf"{name} could not be read back.*trusted=\['{name}'\]"):
        report(Shifted().partial_fit(X), epoch=1, loss=0.5)
    assert trial.reported() == []
    assert resume(Shifted(), trusted=[name])[1] == 0
    report(Shifted().partial_fit(X), epoch=1, loss=0.5, trusted=[name])
    model, done = resume(Shifted(), trusted=[name])
    assert done == 1
    assert np.array_equal(model.mean_, X.mean(0))
    with pytest.raises(TypeError, match="Untrusted types"):
        resume(Shifted())


def test_a_pipeline_is_an_estimator_like_others(trial):
    model = make_pipeline(StandardScaler(), sklearn.SGDClassifier()).fit(X, Y)
    report(model, epoch=1, loss=0.5)
    assert np.array_equal(resume(model)[0].predict(X), model.predict(X))


def test_by_hand_it_prints_and_saves_nothing(by_hand, capsys):
    train(MODELS["sgd"], 2)
    assert [json.loads(line)["epoch"] for line in capsys.readouterr().out.splitlines()] == [1, 2]
    assert list(by_hand.iterdir()) == []
