"""Of variations of one thing the suite runs some; the others are `slow`."""

import pytest


def or_slow(values, quick):
    """For `pytest.mark.parametrize`: all values, each of one or several names; those not among `quick` are marked slow."""
    return [
        value
        if value in quick
        else pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow)
        for value in values
    ]
