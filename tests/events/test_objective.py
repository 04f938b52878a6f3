"""What a report means: the sign, what is no number, and the name that was meant."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.events.objective import Objective, ReportError

LOW = Objective("error", "min", "epoch")
HIGH = Objective("accuracy", "max", "epoch")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_loss_is_the_metric_turned_so_that_lower_is_better(value):
    assert LOW.loss({"error": value}) == value
    assert HIGH.loss({"accuracy": value}) == -value
    assert LOW.value(LOW.loss({"error": value})) == value
    assert HIGH.value(HIGH.loss({"accuracy": value})) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, -(10**400)], ids=lambda v: str(v)[:9])
def test_what_is_not_finite_is_the_worst_in_both_directions(value):
    assert LOW.loss({"error": value}) == math.inf
    assert HIGH.loss({"accuracy": value}) == math.inf


def test_a_whole_number_is_a_metric():
    assert LOW.loss({"error": 3}) == 3.0
    assert isinstance(LOW.loss({"error": 3}), float)


@pytest.mark.parametrize("value", [True, False, "0.5", None, [0.5], {"value": 0.5}])
def test_a_metric_that_is_no_number_is_an_error_that_names_it(value):
    with pytest.raises(ReportError, match=r"benchmark\.metric=error.*not a number"):
        LOW.loss({"error": value})


def test_a_missing_metric_is_an_error_with_the_nearest_name():
    with pytest.raises(ReportError, match=r"benchmark\.metric=accuracy.*did you mean 'accurracy'\?"):
        HIGH.loss({"epoch": 1, "accurracy": 0.5})


def test_a_missing_metric_with_nothing_near_lists_what_there_is():
    with pytest.raises(ReportError, match=r"only epoch, zzz$"):
        LOW.loss({"epoch": 1, "zzz": 0.5})
    with pytest.raises(ReportError, match="an empty object"):
        LOW.loss({})


def test_a_missing_resource_is_an_error_with_the_nearest_name():
    with pytest.raises(ReportError, match=r"benchmark\.resource_attr=epoch.*did you mean 'epochs'\?"):
        LOW.resource({"error": 1, "epochs": 3})


@pytest.mark.parametrize("value", [1, 7, 7.0, 10**6])
def test_a_resource_is_a_positive_whole_number(value):
    assert LOW.resource({"epoch": value}) == value
    assert isinstance(LOW.resource({"epoch": value}), int)


@pytest.mark.parametrize(("value", "advised"), [(0, True), (-1, False), (0.5, False)])
def test_a_resource_that_begins_at_zero_is_answered_with_the_key_for_programs_that_count_so(value, advised):
    with pytest.raises(ReportError) as caught:
        LOW.resource({"epoch": value})
    assert ("set benchmark.first_resource=0" in str(caught.value)) == advised


@pytest.mark.parametrize(
    "value", [0, -1, 0.5, 1.5, True, "3", None, math.nan, math.inf, -math.inf, [1], 10**400], ids=lambda v: str(v)[:9]
)
def test_a_resource_that_is_none_is_an_error_that_names_it(value):
    with pytest.raises(ReportError, match=r"benchmark\.resource_attr=epoch"):
        LOW.resource({"epoch": value})


def test_reports_are_counted_where_there_is_no_resource():
    assert Objective("error", "min", None).resource({"error": 1.0}) is None


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (None, "report a number, and NaN if training has diverged"),  # JSON.stringify makes null of NaN
        ("abc", "report a number, and NaN if training has diverged"),
        ("0.5", "write it without quotes"),
    ],
)
def test_a_value_that_is_no_number_is_named_with_its_key_and_what_to_write(value, remedy):
    with pytest.raises(ReportError) as caught:
        Objective("loss", "min", None).loss({"loss": value})
    assert caught.value.sentence == (
        f"benchmark.metric=loss: the script reported {value!r}, which is not a number; {remedy}"
    )


def test_a_resource_that_is_missing_is_named_with_what_there_is_and_what_to_do():
    with pytest.raises(ReportError) as caught:
        LOW.resource({"error": 1.0})
    assert caught.value.sentence == (
        "benchmark.resource_attr=epoch: the script reported only error; report epoch in each report as well, or correct "
        "the key"
    )


PAID = Objective("error", "min", "epoch", cost_attr="gpu_seconds")


@pytest.mark.parametrize("value", [0, 7, 2.5])
def test_a_cost_that_is_named_comes_with_the_outcome(value):
    metrics = {"error": 0.5, "epoch": 3, "gpu_seconds": value}
    assert PAID.outcome(metrics, 3).cost == PAID.read(metrics, 1)[1].cost == value
    assert LOW.outcome(metrics, 3).cost is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.5, None, "2", True, 10**400])
def test_a_cost_that_cannot_be_one_is_a_sentence_that_names_it(value):
    with pytest.raises(ReportError) as caught:
        PAID.outcome({"error": 0.5, "epoch": 3, "gpu_seconds": value}, 3)
    assert str(caught.value) == (
        f"benchmark.cost_attr=gpu_seconds: the script reported {value!r}; it must be a number from 0 that never falls: what "
        "the trial has cost in all since it began"
    )


def test_a_cost_that_is_never_reported_is_a_sentence_with_the_nearest_name():
    with pytest.raises(
        ReportError, match=r"cost_attr=gpu_seconds: .* error, epoch, gpu_second; did you mean 'gpu_second'"
    ):
        PAID.outcome({"error": 0.5, "epoch": 3, "gpu_second": 1}, 3)
