"""Expected improvement and its logarithm."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.surrogate.acquisition import log_expected_improvement, log_h


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
