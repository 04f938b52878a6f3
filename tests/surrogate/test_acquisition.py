"""Expected improvement and its logarithm."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.space.search_space import parse_space
from hpo.surrogate.acquisition import climb, log_expected_improvement, log_h
from hpo.surrogate.candidate_points import CandidatePoints
from hpo.surrogate.encoding import Encoding
from tests.surrogate.test_candidate_points import CONDITIONAL, SPACE


@pytest.mark.parametrize(
    ("mean", "deviation", "best"),
    [(0.0, 1.0, 0.0), (0.3, 0.5, 0.1), (-1.0, 2.0, -1.5), (1.0, 0.4, 0.2), (5.0, 2.0, -1.0), (0.0, 1e-3, 5e-4)],
)
def test_it_is_within_three_standard_errors_of_a_million_draws(mean, deviation, best):
    draws = np.random.default_rng(0).normal(mean, deviation, 10**6)
    improvement = np.maximum(best - draws, 0.0)
    error = improvement.std(ddof=1) / math.sqrt(len(draws))
    value = math.exp(log_expected_improvement(np.array(mean), np.array(deviation), best))
    assert abs(value - improvement.mean()) <= 3 * error


def precise(z):
    with mpmath.workdps(60):
        z = mpmath.mpf(z)
        return float(mpmath.log(mpmath.npdf(z) + z * mpmath.ncdf(z)))


@pytest.mark.parametrize(
    "z", [30.0, 3.0, 0.0, -0.999, -1.0, -1.001, -5.0, -20.0, -37.5, -200.0, -999.0, -1000.0, -1001.0]
)
def test_it_equals_high_precision_arithmetic(z):
    assert float(log_h(np.array(z))) == pytest.approx(precise(z), rel=1e-9)


@given(st.floats(-40, 5))
def test_it_has_no_flat_place_even_twenty_deviations_from_the_incumbent(z):
    step = 1e-3
    low, high = log_h(np.array([z, z + step]))
    slope = (high - low) / step
    assert np.isfinite(slope)
    assert slope > 1e-3


def test_infinitely_far_it_is_still_finite_and_falling():
    values = log_h(np.array([-1e4, -1e5, -1e8]))
    assert np.isfinite(values).all()
    assert values[0] > values[1] > values[2]


UNIT = {"type": "float", "lower": 0.0, "upper": 1.0}


@pytest.mark.parametrize("space", [SPACE, CONDITIONAL], ids=["flat", "conditional"])
def test_gradients_by_encoded_columns_become_those_by_points(space):
    """Against differences, of a function of the encoded columns whose gradient is its weights."""
    pool, rng = CandidatePoints(space), np.random.default_rng(0)
    points = np.clip(pool.sample(rng, 40), 0.01, 0.99)
    weights = rng.standard_normal((len(points), pool.encode(points).shape[1]))
    slopes = pool.by_points(points, weights)
    assert pool.smooth
    for number, column in enumerate(pool.smooth):
        step = np.zeros(points.shape[1])
        step[column] = 1e-6
        up, down = ((weights * pool.encode(points + sign * step)).sum(axis=1) for sign in (1, -1))
        used = pool.activity is None or pool.activity.used(points)[:, column]
        np.testing.assert_allclose(slopes[:, number], np.where(used, (up - down) / 2e-6, 0.0), atol=1e-6)


def test_each_start_gets_to_the_top_of_its_own_hill_and_steps_stay_where_they_are():
    space = parse_space({"a": UNIT, "c": {"type": "choice", "values": ["x", "y", "z"]}, "b": UNIT})
    pool = CandidatePoints(space)
    columns = Encoding(space).columns
    a, b = columns["a"].start, columns["b"].start
    tops = np.array([[0.25, 0.5], [0.75, 1.5]])  # the second lies outside

    def score(x):
        near = tops[(x[:, a] > 0.5).astype(int)]
        away = np.column_stack((x[:, a], x[:, b])) - near
        slopes = np.zeros_like(x)
        slopes[:, a], slopes[:, b] = -2 * away.T
        return -np.square(away).sum(axis=1), slopes

    starts = np.array([[0.3, 1 / 6, 0.1], [0.7, 5 / 6, 0.4]])
    ends = climb(pool, starts, score, iterations=50)
    np.testing.assert_allclose(ends, [[0.25, 1 / 6, 0.5], [0.75, 5 / 6, 1.0]], atol=1e-5)
    assert starts[0].tolist() == [0.3, 1 / 6, 0.1]


def test_where_nothing_is_continuous_starts_are_left_alone():
    pool = CandidatePoints(parse_space({"n": {"type": "int", "lower": 1, "upper": 9}}))
    starts = pool.sample(np.random.default_rng(0), 3)
    assert climb(pool, starts, lambda x: (x[:, 0], x), iterations=5) is starts
