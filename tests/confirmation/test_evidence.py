"""Which candidates are worth another seed, and what a confirmation's results show."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpo.confirmation.evidence import choose, contrasts, mean_of, noise_of, worthwhile
from perf.confirmation import simulate

finite = st.floats(-100, 100).map(lambda value: round(value, 6))


def block(candidates, seeds):
    return st.lists(st.lists(finite, min_size=seeds, max_size=seeds), min_size=candidates, max_size=candidates)


@given(block(3, 4))
def test_the_noise_of_a_complete_block_is_that_of_a_two_way_analysis_of_variance(losses):
    values = np.array(losses)
    residuals = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    noise, freedom = noise_of(losses)
    assert freedom == 6
    assert noise == pytest.approx(math.sqrt((residuals**2).sum() / 6), rel=1e-6, abs=1e-6)


@given(block(2, 5))
def test_two_candidates_are_judged_as_by_a_paired_t_test(losses):
    chosen = choose(losses)
    (found,) = [contrast for contrast in contrasts(losses, chosen) if contrast is not None]
    differences = np.subtract(losses[1 - chosen], losses[chosen])
    if np.ptp(differences) > 1e-6:
        assert found.p_value == pytest.approx(stats.ttest_rel(*losses).pvalue, rel=1e-6, abs=1e-9)
        low, high = stats.t.interval(0.95, 4, differences.mean(), stats.sem(differences))
        assert (found.difference.low, found.difference.high) == pytest.approx((low, high), rel=1e-6, abs=1e-6)


@given(block(1, 5))
def test_the_interval_of_a_single_candidate_is_students(losses):
    found = mean_of(losses, 0)
    half = stats.t.ppf(0.975, 4) * stats.sem(losses[0])
    assert (found.value, found.high - found.value) == pytest.approx((np.mean(losses[0]), half), rel=1e-9, abs=1e-9)


def test_nobody_is_dropped_after_one_seed():
    assert worthwhile([[0.0], [100.0]], 5) == [0, 1]


def test_a_candidate_that_is_far_behind_gets_no_further_seed():
    assert worthwhile([[0.0, 0.1, 0.05], [0.05, 0.02, 0.1], [9.0, 9.1, 9.2]], 5) == [0, 1]


def test_a_clear_winner_ends_the_confirmation():
    assert worthwhile([[0.0, 0.1], [5.0, 5.3], [9.0, 9.1]], 5) == []


def test_the_last_seed_ends_it():
    assert worthwhile([[0.0, 0.1], [0.1, 0.0]], 2) == []


def test_a_dropped_candidate_does_not_come_back():
    assert worthwhile([[0.0, 0.1, 0.05], [0.05, 0.02, 0.1], [0.0, 0.0]], 5) == [0, 1]


@pytest.mark.parametrize(("losses", "left"), [([[1.0, 1.0], [2.0, 2.0]], []), ([[1.0, 1.0], [1.0, 1.0]], [0, 1])])
def test_without_any_noise_candidates_are_told_apart_at_once(losses, left):
    assert worthwhile(losses, 5) == left


@given(st.integers(2, 5).flatmap(lambda seeds: block(4, seeds)), st.randoms())
def test_the_best_so_far_is_never_dropped_and_order_does_not_matter(losses, rng):
    left = worthwhile(losses, 6)
    assert left == [] or choose(losses) in left
    order = list(range(4))
    rng.shuffle(order)
    means = [np.mean(values) for values in losses]
    if len(set(means)) == 4:
        assert sorted(order[k] for k in worthwhile([losses[k] for k in order], 6)) == left


@pytest.mark.long
def test_simulated_confirmations_keep_what_is_promised():
    """600 searches; the full table is that of `python -m perf.confirmation`."""
    found = simulate(noise=0.2, searches=600, seeds=5, top=3, common=0.5, random_seed=1)
    assert 0.91 <= found.coverage <= 0.98
    assert found.chosen < found.searched
    assert found.chosen < found.fixed + 0.01
    assert found.saved > 0.25
