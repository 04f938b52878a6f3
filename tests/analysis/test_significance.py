"""Interquartile means, intervals, tests, power: against scipy and against the definitions."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpo.analysis.bootstrap import aggregate, degrees_of_freedom, draw, interval, iqm, iqm_and_variance, standard_error
from hpo.analysis.pairwise_comparison import pairs_needed, spread_of
from hpo.analysis.significance import fewest_pairs, holm, probability_of_improvement, sign_flip, signed_rank, smallest_p
from hpo.analysis.speedup import Times, speed_up
from hpo.randomness import Randomness

VALUES = st.lists(st.floats(-100, 100), min_size=2, max_size=40).map(np.array)


def stream(number=0):
    return Randomness(number, 0).stream("test")


class TestInterquartileMean:
    """The 25 % trimmed mean and its standard error."""

    @given(VALUES)
    def test_it_is_the_trimmed_mean_of_scipy(self, values):
        assert iqm(values) == pytest.approx(stats.trim_mean(values, 0.25), abs=1e-9)

    @given(VALUES)
    def test_its_standard_error_is_that_of_the_winsorised_values(self, values):
        n = len(values)
        cut = n // 4
        winsorised = np.asarray(stats.mstats.winsorize(values, limits=(cut / n, cut / n)))
        expected = winsorised.var(ddof=1) / (n * (1 - 2 * cut / n) ** 2)
        assert iqm_and_variance(values)[1] == pytest.approx(expected, rel=1e-6, abs=1e-9)

    def test_over_benchmarks_it_is_the_mean_of_theirs(self):
        strata = [np.array([0.0, 1, 2, 99]), np.array([10.0])]
        assert aggregate(strata) == ((1 + 2) / 2 + 10) / 2

    def test_rows_are_taken_one_by_one(self):
        rows = stream().normal(size=(5, 13))
        means, variances = iqm_and_variance(rows)
        assert [iqm(row) for row in rows] == pytest.approx(means)
        assert [iqm_and_variance(row)[1] for row in rows] == pytest.approx(variances)


class TestInterval:
    """The studentised paired bootstrap."""

    def test_the_same_data_and_seed_give_the_same_interval(self):
        values = [stream().normal(size=20)]
        assert interval(values, draw([("b", 20)], 3)) == interval(values, draw([("b", 20)], 3))
        assert interval(values, draw([("b", 20)], 3)) != interval(values, draw([("b", 20)], 4))

    def test_another_benchmark_does_not_change_what_is_drawn_for_one(self):
        alone, both = draw([("b", 9)], 0), draw([("a", 9), ("b", 9)], 0)
        assert (alone[0] == both[1]).all()
        assert not (both[0] == both[1]).all()

    def test_it_moves_and_scales_with_the_values(self):
        values, indices = stream().normal(size=20), draw([("b", 20)], 0)
        low, high = interval([values], indices)
        assert interval([3 * values + 7], indices) == pytest.approx((3 * low + 7, 3 * high + 7))

    def test_it_is_the_bootstrap_t_interval_by_its_definition(self):
        values, (indices,) = stream().normal(size=12), draw([("b", 12)], 0, resamples=999)
        centre, error = aggregate([values]), standard_error([values])
        pivots = []
        for index in indices:
            sample = [values[index]]
            shift = aggregate(sample) - centre
            own = standard_error(sample)
            pivots.append(shift / own if own else math.copysign(math.inf, shift))
        low, high = np.quantile(pivots, [0.025, 0.975], method="nearest")
        assert max(-low, high) < 1.5 * stats.t.ppf(0.975, 6 - 2), "the cut of quantiles does not matter here"
        assert interval([values], [indices]) == pytest.approx((centre - high * error, centre - low * error))

    def test_values_that_are_equal_but_for_rounding_are_equal(self):
        values = np.array([0.1 + 0.2, 0.3] * 4 + [0.9] * 2 + [0.1] * 2)
        assert np.isnan(interval([values], draw([("b", 12)], 0))).all()

    def test_clumps_of_nearly_equal_values_do_not_make_it_infinite(self):
        values = np.array([0.2, 0.2001, 0.2002, 0.2, 0.2001, 0.2, 0.3, 0.3001, 0.3, 0.3001, 0.3002, 0.3])
        low, high = interval([values], draw([("b", 12)], 0))
        reach = 1.5 * stats.t.ppf(0.975, 5 - 1) * standard_error([values])
        assert 0.25 - 1.001 * reach <= low < 0.25 < high <= 0.25 + 1.001 * reach

    def test_below_ten_seeds_it_is_tukey_and_mclaughlin_with_one_degree_less(self):
        values = stream().normal(size=8)  # 2 of 8 are cut at either end: 4 kept, 3 degrees of freedom
        reach = stats.t.ppf(0.975, 2) * standard_error([values])
        expected = aggregate([values]) - reach, aggregate([values]) + reach
        assert interval([values], draw([("b", 8)], 0)) == pytest.approx(expected)

    @pytest.mark.parametrize("sizes", [(1,), (5,), (20, 1), (4, 4)])
    def test_too_few_seeds_give_none(self, sizes):
        values = [stream(i).normal(size=n) for i, n in enumerate(sizes)]
        indices = draw([(f"b{i}", n) for i, n in enumerate(sizes)], 0)
        assert np.isnan(interval(values, indices)).all()

    def test_equal_values_give_a_point(self):
        assert interval([np.full(12, 0.25)], draw([("b", 12)], 0)) == (0.25, 0.25)

    def test_when_half_of_the_values_are_equal_the_others_are_no_reason_for_a_point(self):
        values = np.array([0.0] * 9 + [0.5, 0.6, 0.7])
        assert np.isnan(interval([values], draw([("b", 12)], 0))).all()

    def test_that_holds_for_one_benchmark_among_others_too(self):
        values = [np.array([0.0] * 9 + [0.5, 0.6, 0.7]), stream().normal(size=12)]
        assert np.isnan(interval(values, draw([("b", 12), ("c", 12)], 0))).all()
        values[0] = np.zeros(12)
        assert np.isfinite(interval(values, draw([("b", 12), ("c", 12)], 0))).all()

    @pytest.mark.parametrize("seeds", [6, 10, 20])
    @pytest.mark.parametrize("shape", ["normal", "skewed"])
    def test_intervals_cover_a_known_difference_as_often_as_they_say(self, seeds, shape):
        random = stream(seeds)
        truth = 0.0 if shape == "normal" else np.mean(stats.gamma(2).ppf(np.linspace(0.25, 0.75, 20001)))
        covered = 0
        for number in range(300):
            values = random.normal(size=seeds) if shape == "normal" else random.gamma(2, size=seeds)
            low, high = interval([values], draw([("b", seeds)], number, resamples=999))
            covered += low <= truth <= high
        assert 0.91 <= covered / 300 <= 0.99  # 3.2 standard errors about .95; perf/bootstrap_coverage.py measures it

    def test_degrees_of_freedom_add_up_over_benchmarks(self):
        assert degrees_of_freedom([10, 5]) == (6 - 1) + (3 - 1)


class TestTests:
    """p-values."""

    @given(st.lists(st.integers(-5, 5), min_size=1, max_size=9))
    def test_the_sign_flip_p_value_is_the_share_of_sign_patterns_that_are_as_extreme(self, numbers):
        values = np.array(numbers, dtype=float)
        means = [np.dot(signs, np.abs(values)) for signs in itertools.product((-1, 1), repeat=len(values))]
        observed = values.sum()
        above, below = np.mean(np.array(means) >= observed), np.mean(np.array(means) <= observed)
        assert sign_flip([values], stream()) == pytest.approx(min(1, 2 * min(above, below)))

    def test_benchmarks_weigh_the_same_however_many_seeds_they_have(self):
        strata = [np.array([3.0]), np.array([-1.0, -1, -1])]
        patterns = itertools.product((-1, 1), repeat=4)
        means = [3 * a + (b + c + d) / 3 for a, b, c, d in patterns]
        expected = 2 * np.mean(np.array(means) >= 3 - 1 - 1e-12)
        assert sign_flip(strata, stream()) == pytest.approx(expected)

    def test_drawn_sign_flips_are_near_students_test_for_normal_differences(self):
        values = stream(1).normal(0.3, 1, size=40)
        assert sign_flip([values], stream()) == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.02)

    def test_drawn_sign_flips_are_the_same_with_the_same_stream(self):
        values = stream(1).normal(0.3, 1, size=40)
        assert sign_flip([values], stream(5)) == sign_flip([values], stream(5))

    def test_the_signed_rank_test_is_scipys_without_the_zeros(self):
        values = np.array([0.0, 0.5, -0.25, 0.75, 1.5, 2.5, -3.5, 4.5])
        assert signed_rank(values) == stats.wilcoxon(values[1:]).pvalue

    def test_nothing_differs_is_no_evidence(self):
        assert signed_rank(np.zeros(9)) == 1
        assert sign_flip([np.zeros(9)], stream()) == 1
        assert sign_flip([np.array([0.3])], stream()) == 1

    def test_holm_by_hand(self):
        assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
        assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
        assert holm([]) == []

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
    def test_holm_lies_between_no_correction_and_bonferroni_and_keeps_the_order(self, values):
        corrected = holm(values)
        for value, found in zip(values, corrected, strict=True):
            assert value <= found <= min(1, len(values) * value) + 1e-12
        assert [corrected[i] for i in np.argsort(values, kind="stable")] == sorted(corrected)

    @given(st.lists(st.integers(-3, 3), min_size=1, max_size=20), st.integers(-3, 3))
    def test_the_probability_of_improvement_and_its_opposite_make_one(self, numbers, other):
        strata = [np.array(numbers, dtype=float), np.array([float(other)])]
        back = [-values for values in strata]
        assert probability_of_improvement(strata) + probability_of_improvement(back) == pytest.approx(1)

    def test_ties_count_half(self):
        assert probability_of_improvement([np.array([-1.0, 0, 0, 2])]) == 0.5
        assert probability_of_improvement([np.array([-1.0, -1, 0, 2])]) == 0.625

    @pytest.mark.parametrize(("comparisons", "fewest"), [(1, 6), (3, 7), (6, 8)])
    def test_the_fewest_pairs_are_those_whose_smallest_p_value_is_small_enough(self, comparisons, fewest):
        assert fewest_pairs(0.05, comparisons) == fewest
        assert smallest_p(fewest) * comparisons < 0.05 <= smallest_p(fewest - 1) * comparisons
        values = np.arange(1.0, fewest + 1)
        assert signed_rank(values) == pytest.approx(smallest_p(fewest))
        assert sign_flip([values], stream()) == pytest.approx(smallest_p(fewest))


class TestPower:
    """Seeds still needed."""

    def test_it_is_the_textbook_formula(self):
        assert pairs_needed(0.12, 0.03) == math.ceil((1.959964 + 0.841621) ** 2 * 0.12**2 / 0.03**2) == 126
        assert pairs_needed(0.12, 0.05) == 46

    def test_the_spread_is_the_larger_of_two(self):
        values = stream().normal(size=30)
        outlier = np.array([*values, 50.0])
        assert spread_of([outlier]) == pytest.approx(outlier.std(ddof=1))
        flat = np.array([-1.0] * 15 + [1.0] * 15)
        assert spread_of([flat]) == pytest.approx(math.sqrt(30) * standard_error([flat]))
        assert spread_of([flat]) > flat.std(ddof=1)

    def test_one_seed_has_no_spread(self):
        assert math.isnan(spread_of([np.array([1.0])]))


class TestSpeedUp:
    """Ratios of expected running times where runs do not reach the target."""

    def test_where_nobody_gets_there_nothing_is_known(self):
        nobody = Times(np.full(5, math.inf), np.full(5, math.inf), 100.0)
        only_the_method = Times(np.full(5, 10.0), np.full(5, math.inf), 100.0)
        only_the_baseline = Times(np.full(5, math.inf), np.full(5, 10.0), 100.0)
        assert math.isnan(speed_up([nobody]).ratio)
        assert speed_up([only_the_method]).ratio == math.inf
        assert speed_up([only_the_baseline]).ratio == 0
        assert math.isnan(speed_up([only_the_method, only_the_baseline]).ratio)
