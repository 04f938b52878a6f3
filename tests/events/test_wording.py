"""Times in words."""

import math

import pytest

from hpo.events.wording import in_unit_of


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
