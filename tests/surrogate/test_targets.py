"""Losses become targets: ranks are kept, tails are cut, resources are aligned."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, rankdata

from hpo.surrogate.targets import (
    align,
    compress,
    make_finite,
    median,
    normal_scores,
    penalise_infeasible,
    quantile,
    standardise,
    to_targets,
    to_values,
    winsorise,
)

LOSSES = st.lists(st.one_of(st.floats(-1e30, 1e30), st.just(np.inf), st.just(np.nan)), min_size=1, max_size=40)


@given(LOSSES, st.integers(0, 100))
def test_any_losses_give_finite_targets_of_mean_0_and_variance_1_or_all_0(losses, seed):
    rng = np.random.default_rng(seed)
    resources = 3 ** rng.integers(0, 3, len(losses))
    targets = to_targets(np.array(losses), resources, np.arange(len(losses)))
    assert np.isfinite(targets).all()
    if len(losses) == 1:
        assert targets.tolist() == [0.0]
    assert targets.mean() == pytest.approx(0, abs=1e-9)
    assert targets.std() == pytest.approx(1) or not targets.any()


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_at_one_resource_the_order_is_kept_but_for_what_is_cut(losses):
    values = np.array(losses)
    targets = to_targets(values, np.ones(len(values), dtype=int), np.arange(len(values)))
    for i in range(len(values)):
        for j in range(len(values)):
            if values[i] < values[j]:
                assert targets[i] <= targets[j]


def test_what_is_not_finite_counts_as_the_worst():
    assert make_finite(np.array([1.0, np.inf, 3.0, np.nan, -np.inf])).tolist() == [1.0, 3.0, 3.0, 3.0, 3.0]
    assert make_finite(np.array([np.nan, np.inf])).tolist() == [0.0, 0.0]


def test_resources_are_aligned_by_the_median_change_of_trials_measured_at_both():
    values = np.array([10.0, 20.0, 30.0, 4.0, 16.0, 1.0])
    resources = np.array([1, 1, 1, 3, 3, 9])
    trials = np.array([0, 1, 2, 0, 1, 1])
    # from 1 to 3: median of -6 and -4 is -5; from 3 to 9: trial 1 alone, -15
    assert align(values, resources, trials).tolist() == [10, 20, 30, 9, 21, 21]


def test_resources_without_a_trial_in_common_are_left_as_they_are():
    assert align(np.array([1.0, 5.0]), np.array([1, 3]), np.array([0, 1])).tolist() == [1.0, 5.0]


def test_outliers_are_cut_five_interquartile_ranges_above_the_median():
    values = np.array([0.0, 1.0, 2.0, 3.0, 1e9])
    assert winsorise(values).tolist() == [0.0, 1.0, 2.0, 3.0, 2.0 + 5 * 2.0]
    assert winsorise(-values).tolist() == (-values).tolist()
    assert winsorise(np.array([1.0, 1.0, 1.0, 1.0, 50.0])).tolist() == [1.0, 1.0, 1.0, 1.0, 50.0]


@given(st.lists(st.integers(0, 9), min_size=2, max_size=30))
def test_scores_are_normal_quantiles_of_the_mean_ranks(values):
    expected = norm.ppf((rankdata(values) - 0.5) / len(values))
    if len(set(values)) == 1:
        expected = np.zeros(len(values))
    np.testing.assert_allclose(normal_scores(np.array(values, dtype=float)), expected, atol=1e-12)


def test_constant_targets_are_0():
    assert standardise(np.full(4, 7.3)).tolist() == [0, 0, 0, 0]
    assert to_targets(np.full(4, 7.3), np.ones(4, dtype=int), np.arange(4)).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 17, 100])
def test_quantiles_and_medians_equal_numpys_to_the_last_bit(n):
    rng = np.random.default_rng(n)
    for values in (np.sort(rng.standard_normal(n)), np.sort(rng.random(n).round(1))):
        assert median(values) == np.median(values)
        for share in (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0):
            assert quantile(values, share) == np.quantile(values, share)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([-3.0, 0.0, 2.0, 7.5, math.inf]), st.sampled_from([0.0, 0.0, 0.25, 1.0, 40.0, math.inf])
        ),
        min_size=1,
        max_size=20,
    )
)
@settings(deadline=None, max_examples=200)
def test_losses_that_break_constraints_stand_behind_all_that_do_not_in_the_order_of_their_violations(told):
    losses, violations = (np.array(column) for column in zip(*told, strict=True))
    mapped = penalise_infeasible(losses, violations)
    assert (mapped[violations == 0] == losses[violations == 0]).all()
    for i, j in itertools.permutations(range(len(told)), 2):
        if violations[i] < violations[j] and math.isfinite(losses[i]):
            assert mapped[i] < mapped[j]
        if violations[i] == violations[j] > 0 and math.isfinite(losses[i]) and math.isfinite(losses[j]):
            assert mapped[i] == mapped[j]


def test_kept_distances_are_linear_near_the_lowest_and_logarithmic_far_above():
    values = np.array([0.0, 1e-3, 0.5, 1.0, 1.5, 100.0])  # the median is 0.75
    compressed = compress(values)
    assert compressed.tolist() == pytest.approx([math.log1p(value / 0.75) for value in values], rel=1e-12)
    assert compress(values[:5]).tolist() == values[:5].tolist(), "none reaches far"
    targets = to_values(values, np.ones(6, dtype=int), np.arange(6))
    assert targets.mean() == pytest.approx(0, abs=1e-12)
    assert targets.std() == pytest.approx(1)
    assert (np.diff(targets) > 0).all()
    assert to_values(np.full(4, 7.3), np.ones(4, dtype=int), np.arange(4)).tolist() == [0, 0, 0, 0]
    assert len(to_values(np.zeros(0), np.zeros(0, dtype=int), np.zeros(0, dtype=int))) == 0
