"""Events come through JSON as they were."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.events.types import Exit, Garbage, Placed, Report
from hpo.ray.messages import from_json, to_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
    max_leaves=5,
)


def sent(event):
    return from_json(json.loads(json.dumps(to_json(event)).encode()))


@pytest.mark.parametrize(
    "event",
    [
        Garbage(3, 1, "\ud800 half a character, as a script may write it"),
        Placed(3, 1, ["0", "GPU-a"], "node-7"),
        Exit(3, 1, 0, usage={"cpu_seconds": 1.5}),
        Exit(3, 1, None, 9, lost=True),
        Exit(3, 1, 1, None, False, "boom", {}, True, "train.py:3", Path("/a/stderr.log"), {"reports": 0, "path": None}),
    ],
)
def test_an_event_is_what_it_was(event):
    assert sent(event) == event


@given(metrics=st.dictionaries(st.text(), VALUES), position=st.integers(0, 2**60))
def test_reports_are_exact(metrics, position):
    assert sent(Report(1, 2, metrics, position)) == Report(1, 2, metrics, position)


def test_numbers_that_json_has_no_word_for_come_through():
    metrics = sent(Report(1, 2, {"a": math.nan, "b": -math.inf}, 1)).metrics
    assert math.isnan(metrics["a"])
    assert metrics["b"] == -math.inf
