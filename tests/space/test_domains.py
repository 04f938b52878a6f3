"""Domains: what a unit number means on each scale, and back."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.space.domains import LINEAR, LOG, REVERSE_LOG, Choice, Float, Integer

UNITS = st.floats(0, 1)
FAST = settings(deadline=None, max_examples=150)
FORWARD = {"linear": lambda x: x, "log": math.log, "reverse_log": lambda x: -math.log(1 - x)}
SCALES = {"linear": LINEAR, "log": LOG, "reverse_log": REVERSE_LOG}


@st.composite
def floats(draw):
    name = draw(st.sampled_from(sorted(SCALES)))
    bounds = {
        "linear": st.floats(-1e6, 1e6),
        "log": st.floats(-12, 6).map(lambda e: 10**e),
        "reverse_log": st.floats(0, 0.9999),
    }[name]
    lower, upper = sorted((draw(bounds), draw(bounds)))
    return name, Float(lower, upper, SCALES[name])


@st.composite
def stepped(draw):
    """Steps from 1e-6, on bounds that are round as a person would write them."""
    step = draw(st.sampled_from([0.001, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0]))
    lower = draw(st.integers(1, 400)) / 100
    count = draw(st.integers(0, 30))
    rest = draw(st.sampled_from([0.0, 0.3, 0.9]))
    scale = draw(st.sampled_from([LINEAR, LOG]))
    grid = [lower + i * step for i in range(count + 1)]
    return Float(lower, lower + (count + rest) * step, scale, step), grid


@st.composite
def integers(draw):
    step = draw(st.sampled_from([1, 1, 2, 7, 16]))
    lower = draw(st.integers(step, 2000))
    upper = lower + draw(st.integers(0, 3000))
    scale = draw(st.sampled_from([LINEAR, LOG]))
    return Integer(lower, upper, scale, step)


CHOICES = st.lists(
    st.one_of(st.text(max_size=3), st.booleans(), st.integers(0, 3)),
    min_size=1,
    max_size=8,
    unique_by=lambda v: (type(v), v),
)


@given(floats(), UNITS)
@FAST
def test_every_unit_number_is_a_value_within_the_bounds(domain, unit):
    _, domain = domain
    value = domain.decode(unit)
    assert domain.lower <= value <= domain.upper
    assert value in domain


@given(floats(), UNITS)
@FAST
def test_a_float_survives_encoding(domain, unit):
    _, domain = domain
    value = domain.decode(unit)
    encoded = domain.encode(value)
    assert 0 <= encoded <= 1
    assert domain.decode(encoded) == pytest.approx(value, rel=1e-9, abs=1e-9)


@given(floats(), UNITS)
@FAST
def test_a_float_is_uniform_on_its_scale(domain, unit):
    name, domain = domain
    forward = FORWARD[name]
    low, high = forward(domain.lower), forward(domain.upper)
    value = domain.decode(unit)
    tolerance = 1e-7 * max(1.0, abs(low), abs(high))
    assert forward(value) == pytest.approx(low + unit * (high - low), abs=tolerance)


@pytest.mark.parametrize(
    ("domain", "centre"),
    [
        (Float(0.0, 1.0), 0.5),
        (Float(-4.0, 2.0), -1.0),
        (Float(1e-4, 1.0, LOG), 1e-2),
        (Float(0.9, 0.999, REVERSE_LOG), 0.99),
        (Float(0.0, 1.0, LINEAR, 0.25), 0.5),
        (Float(3.0, 3.0), 3.0),
        (Float(3.0, 3.0, LOG), 3.0),
        (Integer(1, 9), 5),
        (Integer(1, 64, LOG), 8),
        (Integer(4, 1024, LOG), 64),
        (Integer(10, 50, LINEAR, 10), 30),
        (Integer(7, 7), 7),
        (Choice(("relu", "tanh", "gelu")), "relu"),
        (Choice((1, 10, 100), ordered=True), 10),
        (Choice((5,), ordered=True), 5),
    ],
    ids=str,
)
def test_the_default_is_the_centre_on_the_scale(domain, centre):
    assert domain.default == pytest.approx(centre) if isinstance(centre, float) else domain.default == centre
    assert domain.default in domain


@given(st.one_of(floats().map(lambda pair: pair[1]), integers(), stepped().map(lambda pair: pair[0])))
@FAST
def test_the_default_lies_in_the_domain(domain):
    assert domain.default in domain


def test_the_default_of_an_ordinal_with_two_middles_is_one_of_them():
    assert Choice((1, 2, 3, 4), ordered=True).default in (2, 3)


@given(integers(), UNITS)
@FAST
def test_every_unit_number_is_one_of_the_whole_numbers(domain, unit):
    assert domain.decode(unit) in range(domain.lower, domain.upper + 1, domain.step)
    assert type(domain.decode(unit)) is int


@given(integers(), st.data())
@FAST
def test_every_whole_number_survives_encoding(domain, data):
    value = data.draw(st.sampled_from(range(domain.lower, domain.upper + 1, domain.step)))
    assert 0 <= domain.encode(value) <= 1
    assert domain.decode(domain.encode(value)) == value
    assert value in domain


@given(integers(), st.data())
@FAST
def test_a_whole_number_owns_half_a_step_to_both_sides_of_its_scale(domain, data):
    """Its probability is therefore log((v + s/2) / (v - s/2)) over the same for the whole range, on a log scale."""
    values = range(domain.lower, domain.upper + 1, domain.step)
    value = data.draw(st.sampled_from(values))
    forward = math.log if domain.scale is LOG else float
    half = domain.step / 2
    low, high = forward(values[0] - half), forward(values[-1] + half)
    left, right = ((forward(value + side) - low) / (high - low) for side in (-half, half))
    inside = 1e-6 * (right - left)
    assert domain.decode(left + inside) == value
    assert domain.decode(right - inside) == value


def test_a_log_integer_is_drawn_as_often_as_its_interval_is_long():
    domain, draws = Integer(1, 8, LOG), 20_000
    found = [domain.decode(unit) for unit in np.random.default_rng(0).random(draws)]
    for value in range(1, 9):
        share = math.log((value + 0.5) / (value - 0.5)) / math.log(8.5 / 0.5)
        assert found.count(value) / draws == pytest.approx(share, abs=5 * math.sqrt(share / draws))


@given(stepped(), UNITS)
@FAST
def test_a_stepped_float_is_always_on_its_steps(pair, unit):
    domain, grid = pair
    value = domain.decode(unit)
    assert min(abs(value - point) for point in grid) < 1e-9
    assert value in domain


@given(stepped())
@FAST
def test_the_size_of_a_stepped_float_counts_its_steps(pair):
    domain, grid = pair
    assert domain.size == len(grid)


@given(stepped())
@FAST
def test_the_steps_survive_encoding(pair):
    domain, grid = pair
    for point in grid:
        assert domain.decode(domain.encode(point)) == pytest.approx(point, abs=1e-9)


@given(stepped())
@FAST
def test_a_finite_domain_lists_all_of_its_values(pair):
    domain, grid = pair
    assert sorted(domain.values(int(domain.size))) == pytest.approx(grid, abs=1e-9)


def test_steps_may_begin_at_a_bound_with_many_digits():
    domain = Float(1 / 3, 1.0, LINEAR, 0.1)
    assert domain.decode(0.0) >= domain.lower
    assert domain.decode(0.0) in domain


def test_the_steps_of_a_very_small_float_do_not_vanish():
    domain = Float(1e-13, 1e-12, LINEAR, 1e-13)
    assert len({domain.decode(i / 100) for i in range(101)}) == 10


def test_bounds_are_included():
    for domain in (Float(0.1, 0.7), Float(0.1, 0.7, LOG), Float(0.1, 0.7, REVERSE_LOG), Float(0.1, 0.7, LINEAR, 0.2)):
        assert domain.decode(0.0) == pytest.approx(0.1)
        assert domain.decode(1.0) == pytest.approx(0.7)
        assert 0.1 in domain
        assert 0.7 in domain
    assert (Integer(3, 9).decode(0.0), Integer(3, 9).decode(1.0)) == (3, 9)
    assert (Integer(3, 9, LOG).decode(0.0), Integer(3, 9, LOG).decode(1.0)) == (3, 9)


def test_the_last_step_of_a_range_that_does_not_divide_is_below_the_upper_bound():
    assert Integer(1, 10, LINEAR, 4).decode(1.0) == 9
    assert Integer(1, 10, LINEAR, 4).size == 3
    assert 10 not in Integer(1, 10, LINEAR, 4)


@given(CHOICES, UNITS, st.booleans())
@FAST
def test_choices_survive_encoding(values, unit, ordered):
    domain = Choice(tuple(values), ordered)
    value = domain.decode(unit)
    assert any(value is v or (type(value) is type(v) and value == v) for v in values)
    for v in values:
        again = domain.decode(domain.encode(v))
        assert again == v
        assert type(again) is type(v)


@given(CHOICES)
@FAST
def test_choices_share_the_unit_interval_equally(values):
    domain, count = Choice(tuple(values)), len(values)
    for index, value in enumerate(values):
        assert domain.index(domain.decode((index + 0.01) / count)) == domain.index(value) == index
        assert domain.index(domain.decode((index + 0.99) / count)) == index


def test_one_true_and_one_are_different_choices():
    domain = Choice((1, True, 1.0, "1"))
    assert [domain.index(v) for v in (1, True, 1.0, "1")] == [0, 1, 2, 3]
    assert 1 not in Choice((True, 1.0))


@pytest.mark.parametrize("value", [True, "0.5", None, math.nan, math.inf, 1.1, -0.1, [0.5]])
def test_what_is_not_a_number_within_the_bounds_is_not_in_a_float(value):
    assert value not in Float(0.0, 1.0)


@pytest.mark.parametrize("value", [True, 2.0, "2", None, 0, 11, [2]])
def test_what_is_not_a_whole_number_within_the_bounds_is_not_in_an_integer(value):
    assert value not in Integer(1, 10)


def test_whole_numbers_are_in_a_float():
    assert 1 in Float(0.0, 1.0)
    assert 0.25 not in Float(0.0, 1.0, LINEAR, 0.1)


@pytest.mark.parametrize("domain", [Float(0.0, 1.0), Float(1e-3, 1.0, LOG), Integer(1, 1000), Integer(1, 1000, LOG)])
@pytest.mark.parametrize("most", [1, 2, 5])
def test_values_spread_over_a_numeric_domain_include_both_ends(domain, most):
    values = domain.values(most)
    assert len(values) == most
    assert list(values) == sorted(set(values))
    assert all(value in domain for value in values)
    if most > 1:
        assert values[0] == pytest.approx(domain.lower)
        assert values[-1] == pytest.approx(domain.upper)


def test_a_short_integer_lists_all_of_its_values():
    assert list(Integer(2, 9, LOG, 3).values(10)) == [2, 5, 8]
    assert list(Choice(("a", "b", "c")).values(1)) == ["a", "b", "c"]


def test_sizes_count_values():
    assert Float(0.0, 1.0).size == math.inf
    assert Float(2.0, 2.0).size == 1
    assert Integer(3, 3).size == 1
    assert Choice((1, 2, 3)).size == 3


@given(stepped())
@FAST
def test_the_values_of_a_stepped_linear_float_own_equal_parts_of_the_unit_interval(pair):
    domain, _ = pair
    if domain.scale is not LINEAR or domain.size == 1:
        return
    size = int(domain.size)
    middles = [domain.decode((index + 0.5) / size) for index in range(size)]
    assert middles == domain.values(size)
    for index in range(size):
        for unit in ((index + 0.01) / size, (index + 0.99) / size):
            assert domain.decode(unit) == middles[index]


def test_the_default_is_written_as_a_person_would():
    assert str(Float(1e-4, 1.0, LOG).default) == "0.01"
    assert str(Float(0.0, 0.9).default) == "0.45"
    assert Float(1 / 3, 1 / 3 + 1e-14).default == pytest.approx(1 / 3, abs=2e-14)
