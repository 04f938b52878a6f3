"""Colours: all stand out from their page, and where they have an order the last stands out the most, light and dark."""

import itertools

import pytest

from hpo.events.types import Status
from hpo.figures import style

GROUNDS = {"light": "#FFFFFF", "dark": "#14171B"}


def luminance(colour):
    """Of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(colour, mode):
    shown = colour if mode == "light" else style.DARK[colour]
    high, low = sorted((luminance(shown), luminance(GROUNDS[mode])), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", GROUNDS)
def test_every_colour_stands_out_from_the_page(mode):
    every = {*style.COLOURS, *style.OUTCOME_COLOURS.values(), *style.DEPTHS, *style.BANDS, style.NEUTRAL, style.ACCENT}
    assert {colour: contrast(colour, mode) for colour in every if contrast(colour, mode) < 3} == {}


def test_each_state_of_a_trial_has_a_colour_of_its_own_but_a_timeout_which_has_failed():
    assert set(style.STATUS_COLOURS) == set(Status)
    others = [colour for status, colour in style.STATUS_COLOURS.items() if status != Status.TIMEOUT]
    assert len(set(others)) == len(others)
    assert style.STATUS_COLOURS["timeout"] == style.STATUS_COLOURS["failed"]


@pytest.mark.parametrize("mode", GROUNDS)
@pytest.mark.parametrize("ramp", [style.DEPTHS, style.BANDS[:-1]])
def test_in_a_ramp_each_colour_stands_out_more_than_the_one_before(ramp, mode):
    found = [contrast(colour, mode) for colour in ramp]
    assert all(later > 1.15 * earlier for earlier, later in itertools.pairwise(found)), found
