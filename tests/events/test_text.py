"""Times and values in words."""

import math

import pytest

from hpo.events.text import in_unit_of, value_text
from hpo.space.search_space import parse_space


@pytest.mark.parametrize(
    ("longest", "seconds", "text"),
    [
        (100, 0.0123, "0.0123 s"),
        (119, 119, "119 s"),
        (120, 90, "1.5 min"),
        (7199, 12, "0.2 min"),
        (7200, 7200, "2 h"),
        (86_400_000, 43_200_000, "12000 h"),
        (100, math.nan, "-"),
        (100, math.inf, "never"),
    ],
)
def test_times_that_are_compared_are_in_the_unit_of_the_longest(longest, seconds, text):
    assert in_unit_of(longest, seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (0.9234567, "0.9235"),
        (0.9999994, "0.9999994"),
        (0.99986, "0.99986"),
        (1 - 1e-12, "0.999999999999"),
        (1.0, "1"),
        (0.10004, "0.10004"),
        (250.04, "250.04"),
        (0.1 + 0.2, "0.3"),
        (1e-5, "1e-05"),
        (0.0, "0"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
        (7, "7"),
        (True, "true"),
    ],
)
def test_a_value_has_four_digits_or_as_many_as_tell_it_from_1_and_from_a_rounder_number(value, text):
    assert value_text(value) == text


@pytest.mark.parametrize(
    "spec",
    [
        {"lower": 0.9, "upper": 0.9999999, "reverse_log": True},
        {"lower": 0.5, "upper": 0.999, "reverse_log": True},
        {"lower": 1e-6, "upper": 0.1, "log": True},
        {"lower": 1000.0, "upper": 1010.0},
    ],
)
def test_what_is_shown_of_a_value_inside_its_domain_lies_inside_it_too(spec):
    domain = parse_space({"x": {"type": "float", **spec}}).domains["x"]
    for unit in (0.002, 0.01, 0.3, 0.7, 0.99, 0.998):
        shown = float(value_text(domain.decode(unit)))
        assert shown in domain
        assert shown not in (spec["lower"], spec["upper"]), unit
