"""Of variations of one thing the suite runs some; the others are `slow`."""

import pytest


def or_slow(values, quick):
    """For `pytest.mark.parametrize`: all values, those that are not among `quick` marked slow."""
    return [value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values]
