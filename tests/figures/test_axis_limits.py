"""What an axis of a metric shows: everything unless something is far out, the best always, most of the rest in any case."""

import math

import numpy as np
import pytest

from hpo.events.objective import Objective
from hpo.figures.axis_limits import beyond, metric_axis, over_time
from hpo.figures.chart import without_limits

LOSS = Objective("loss", "min", "epoch")
GAIN = Objective("gain", "max", "epoch")


def draws(count=100, seed=0):
    return np.random.default_rng(seed).normal(0.5, 0.1, count).tolist()


def share(drawn, best, other):
    """How much of an axis, with its margins, lies between two values."""
    low, high = (math.log10(end) if drawn.get("log") else end for end in drawn["limits"])
    best, other = (math.log10(value) if drawn.get("log") else value for value in (best, other))
    return abs(best - other) / (1.08 * (high - low))


@pytest.mark.parametrize("objective", [LOSS, GAIN])
@pytest.mark.parametrize("count", [1, 2, 3, 10, 1000])
def test_where_nothing_is_far_out_everything_is_on_a_plain_axis(objective, count):
    assert metric_axis(objective, draws(count)) == {"title": objective.metric}


def test_an_axis_without_a_finite_value_is_a_plain_one():
    assert metric_axis(LOSS, [math.nan, None, math.inf]) == {"title": "loss"}


@pytest.mark.parametrize(("objective", "far"), [(LOSS, 1e8), (GAIN, -1e8)])
@pytest.mark.parametrize("count", [3, 10, 30, 300])
def test_one_far_value_leaves_half_of_the_axis_or_more_to_the_best_nine_tenths_of_the_others(objective, far, count):
    others = draws(count)
    drawn = metric_axis(objective, [*others, far])
    low, high = drawn["limits"]
    assert not low <= far <= high
    best, quantile = (min(others), 0.9) if objective is LOSS else (max(others), 0.1)
    assert best in drawn["limits"]
    assert share(drawn, best, np.quantile(others, quantile)) >= 0.5


def test_the_best_is_on_the_axis_however_far_it_is_from_the_others():
    drawn = metric_axis(GAIN, [*draws(), 1e8])
    assert "limits" not in drawn or drawn["limits"][1] == 1e8
    drawn = metric_axis(LOSS, [*draws(), -1e8])
    assert "limits" not in drawn or drawn["limits"][0] == -1e8


@pytest.mark.parametrize("base", [0.0, -0.5])
@pytest.mark.parametrize("share_of_far", [0.05, 0.15, 0.3, 0.45])
def test_many_far_values_leave_the_others_on_a_plain_axis(share_of_far, base):
    others = [value + base for value in draws(200)]
    far = np.logspace(3, 8, int(200 * share_of_far)).tolist()
    drawn = metric_axis(LOSS, [*others, *far])
    low, high = drawn["limits"]
    assert not drawn["log"]
    assert low == min(others)
    assert np.quantile(others, 0.75) < high < 2


@pytest.mark.parametrize("far", [1, 10, 30])
def test_far_values_leave_half_of_a_logarithmic_axis_to_the_others(far):
    others = np.logspace(-3, 0, 100).tolist()
    drawn = metric_axis(LOSS, [*others, *[1e8] * far])
    assert drawn["log"]
    assert share(drawn, 1e-3, np.quantile(others, 0.9)) >= 0.5


def test_positive_values_that_span_decades_are_on_a_logarithmic_axis():
    values = np.logspace(-3, 2, 50).tolist()
    assert metric_axis(LOSS, values) == {"title": "loss", "log": True}
    assert metric_axis(GAIN, values) == {"title": "gain", "log": True}
    assert not metric_axis(LOSS, [*values, 0.0]).get("log")
    assert not metric_axis(LOSS, [*values, -1.0]).get("log")


def test_a_step_function_counts_for_as_long_as_it_stays():
    assert over_time([0.0, 1.0, 50.0], [0.0, 0.5, 1.0], 100.0) == [0.0, *[0.5] * 49, *[1.0] * 51]
    assert over_time([7.0], [0.5], 7.0) == [0.5] * 101, "an experiment whose first report is its last"


def test_a_first_value_far_from_all_later_ones_does_not_press_them_into_a_line():
    times, values = [0.0, 1.0, 2.0, 3.0, 40.0], [0.01, 0.5, 0.9, 0.93, 0.95]
    assert "limits" not in metric_axis(GAIN, values), "else it is far out without the time, too"
    low, high = metric_axis(GAIN, over_time(times, values, 100.0))["limits"]
    assert high == 0.95
    assert 0.5 < low <= 0.93


def test_half_of_the_values_are_shown_whatever_their_tail():
    values = [0.0, *np.logspace(0, 300, 301).tolist()]
    low, high = metric_axis(LOSS, values).get("limits", (0.0, math.inf))
    assert sum(low <= value <= high for value in values) >= len(values) / 2


def test_all_values_are_on_the_axis_without_limits_by_logarithm_where_they_span_decades():
    drawn = metric_axis(LOSS, [*draws(), 1e8])
    assert without_limits(drawn) == {"title": "loss", "log": True}
    assert without_limits(metric_axis(LOSS, [*draws(), -0.5, 1e8])) == {"title": "loss", "log": False}


def test_a_sentence_says_how_many_values_lie_beyond_and_how_far():
    values = [*draws(), 1e8]
    drawn = metric_axis(LOSS, values)
    assert beyond(LOSS, drawn, values) == f"1 value above {drawn['limits'][1]:.4g}, at 1e+08: marked at the edge."
    values = [*draws(), -1e8, -30.0, math.nan]
    drawn = metric_axis(GAIN, values)
    low = f"{drawn['limits'][0]:.4g}"
    assert beyond(GAIN, drawn, values) == f"2 values below {low}, as far as -1e+08: marked at the edge."
    assert beyond(LOSS, metric_axis(LOSS, draws()), draws()) == ""
