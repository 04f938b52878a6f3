"""Conformalised quantile regression: the correction by its definition, what it promises, and that chance has no say."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from hpo.surrogate.quantile_regression import LEVELS, Quantiles, conformal_quantile, corrections, fit

LOW, MIDDLE, HIGH = 0, 2, 4


def data(seed, n):
    """Noise that grows with the first column, and is skewed."""
    rng = np.random.default_rng(seed)
    x = rng.random((n, 3))
    return x, x[:, 1] + x[:, 0] * rng.exponential(size=n)


@pytest.mark.parametrize(
    ("scores", "coverage", "expected"),
    [
        ([4.0, 1.0, 3.0, 2.0], 0.8, 4.0),  # ⌈5 · .8⌉ = 4th of 4
        ([4.0, 1.0, 3.0, 2.0], 0.4, 2.0),  # ⌈5 · .4⌉ = 2nd
        (list(range(1, 10)), 0.4, 4),  # ⌈10 · .4⌉ = 4th
        (list(range(1, 55)), 0.4, 22),  # ⌈55 · .4⌉ = 22nd, which is 22.000000000000004 in floating point
        ([-1.0, -2.0], 0.8, -1.0),  # ⌈3 · .8⌉ = 3rd of 2: the largest
    ],
)
def test_the_conformal_quantile_is_the_smallest_score_that_so_many_of_one_more_do_not_exceed(
    scores, coverage, expected
):
    assert conformal_quantile(np.array(scores, dtype=float), coverage) == expected


def test_corrections_by_hand():
    """Four results at 0, and quantiles that miss them by known amounts."""
    predicted = np.array(
        [
            [-3.0, 0.5, -1.0, -2.0],  # .1: above the second result by .5
            [-0.2, -0.1, -0.3, -0.4],  # .3
            [7.0, 7.0, 7.0, 7.0],  # the median is not corrected
            [0.2, 0.1, 0.3, 0.4],  # .7: the pair .3 to .7 has all inside, by .2, .1, .3 and .4
            [3.0, 4.0, -0.25, 2.0],  # .9: below the third result by .25
        ]
    )
    # Outside of .1 to .9: -3, .5, .25, -2, of which the 4th smallest is .5. Of .3 to .7: -.2, -.1, -.3, -.4, the 2nd is -.3.
    assert corrections(predicted, np.zeros(4)) == pytest.approx([-0.5, 0.3, 0.0, -0.3, 0.5])


def test_what_is_predicted_is_the_quantile_that_is_asked_for_and_its_correction():
    class Constant:
        def __init__(self, value):
            self.value = value

        def predict(self, x):
            return np.full(len(x), self.value) + x[:, 0]

    model = Quantiles([Constant(10.0 * level) for level in range(5)], np.array([-4.0, -2.0, 0.0, 2.0, 4.0]))
    x = np.array([[0.5], [0.25], [0.0], [1.0]])
    assert model.predict(x, np.array([4, 0, 2, 4])).tolist() == [44.5, -3.75, 20.0, 45.0]


def test_where_inputs_say_nothing_the_quantiles_are_those_of_the_results():
    y = np.random.default_rng(3).standard_normal(30)
    model = fit(np.zeros((30, 1)), y, np.random.default_rng(0), held_out=0.1, iterations=3)
    for level, share in enumerate(LEVELS):
        found = model.predict(np.zeros((1, 1)), np.array([level]))[0]
        assert np.mean(y < found) == pytest.approx(share, abs=1 / 30)


def test_a_tenth_corrects_the_rest_from_33_results_on(monkeypatch):
    learned = []

    class Spy(HistGradientBoostingRegressor):
        def fit(self, x, y):
            learned.append(set(y))
            return super().fit(x, y)

    monkeypatch.setattr("sklearn.ensemble.HistGradientBoostingRegressor", Spy)
    x, y = data(0, 33)
    assert not fit(x[:32], y[:32], np.random.default_rng(0), held_out=0.1, iterations=2).shifts.any()
    assert learned == [set(y[:32])] * 5
    learned.clear()
    model = fit(x, y, np.random.default_rng(0), held_out=0.1, iterations=2)
    assert [len(values) for values in learned] == [29] * 5
    assert all(values == learned[0] for values in learned)
    apart = ~np.isin(y, list(learned[0]))
    predicted = np.array([one.predict(x[apart]) for one in model.trees])
    assert model.shifts == pytest.approx(corrections(predicted, y[apart]))
    assert model.shifts[LOW] == -model.shifts[HIGH] != 0
    assert model.shifts[MIDDLE] == 0


@pytest.mark.long
def test_corrected_pairs_hold_as_many_new_results_as_the_definition_says():
    """Of 12 held-out results of 120 the 11th and the 6th: 11/13 and 6/13 on average, however bad the trees are."""
    covered = {(0, 4): [], (1, 3): []}
    for seed in range(40):
        x, y = data(seed, 120)
        new_x, new_y = data(1000 + seed, 500)
        model = fit(x, y, np.random.default_rng(seed), held_out=0.1, iterations=4)
        ends = [model.predict(new_x, np.full(500, level)) for level in range(5)]
        for (low, high), shares in covered.items():
            shares.append(np.mean((ends[low] <= new_y) & (new_y <= ends[high])))
    for pair, place in zip(covered, (11, 6), strict=True):
        error = np.sqrt(place * (13 - place) / (13**2 * 14) / 40)  # of the mean of 40 draws of a beta distribution
        assert np.mean(covered[pair]) == pytest.approx(place / 13, abs=4 * error)


def test_the_model_is_the_same_for_one_thread_and_two_and_takes_no_global_randomness():
    x, y = data(5, 60)
    found = []
    for threads in (1, 2):
        np.random.seed(threads)  # noqa: NPY002  what must have no say
        before = np.random.get_state()[1].tolist()  # noqa: NPY002
        with threadpool_limits(threads, user_api="openmp"):
            model = fit(x, y, np.random.default_rng(0), held_out=0.1, iterations=3)
            found.append([one.predict(x).tobytes() for one in model.trees])
        assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert found[0] == found[1]
