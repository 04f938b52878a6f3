"""Messages come through JSON as they were."""

import json
import math
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.events.types import Exit, Garbage, Placed, Report
from hpo.ray import messages
from hpo.ray.actor import SlotOpening
from hpo.ray.messages import LogEnd, ReportPiece, SlotClosed, SlotTold, from_bytes, from_json, to_bytes, to_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
    max_leaves=5,
)

EVENTS = [
    Report(3, 1, {"loss": 0.5}, 12),
    Garbage(3, 1, "\ud800 half a character, as a script may write it"),
    Placed(3, 1, ["0", "GPU-a"], "node-7"),
    Exit(3, 1, 0, usage={"cpu_seconds": 1.5}),
    Exit(3, 1, None, 9, lost=True),
    Exit(3, 1, 1, None, False, "boom", {}, True, "train.py:3", Path("/a/stderr.log"), {"reports": 0, "path": None}),
]

STORED = [
    ReportPiece(3, 1, 7, b'{"text": "\xff\xc3"}\n'),
    LogEnd(3, 1, "stderr.log", b"Traceback"),
    messages.CheckpointSaved(3, 1, "root/3/a.tar", 12, 5, None),
    messages.CheckpointMissing(3, "root/3/a.tar"),
    messages.CopiesEnded(3, 1, whole=True),
]

OF_SLOTS = [
    *EVENTS,
    *STORED,
    messages.LogMessage(30, "no copy", "copies"),
    messages.SlotBroken("its disk is full"),
    SlotClosed(),
]

OPENING = SlotOpening(
    {"name": "b"}, "/d", ".shared", "/", "3.12", None, {"/a.py": None}, {}, "file:///s", rooms={"n": 2}
)

ORDERS = [
    messages.OpenSession("head:1", "/tmp/r", None, 2, 0, 2, {"CPU": 1}, 60.0, False, 30.0, OPENING),
    messages.StartAttempt(2, 3, {"x": 0.5}, 1, None),
    messages.StartAttempt(2, 3, {"x": 0.5}, 1, 9, messages.Restore("root/", "root/3/a.tar", "d1")),
    messages.StopAttempt(2, 3, 1.5),
    messages.KillAttempt(2),
    messages.ReleaseSlot(2),
    messages.AvoidNodes(["n"]),
    messages.CloseSession(),
]

NEWS = [
    messages.SessionFailed("no cluster"),
    messages.ClusterConnected(["a", "b"], "2.50"),
    messages.SlotReady(2, "n", "host"),
    messages.NodeRefused("n", "host", "it has other code"),
    SlotTold(2, OF_SLOTS),
    messages.FittingNodes(["n"]),
    messages.SlotSilent(2, 30.0),
    messages.SlotAnswers(2),
    messages.SlotLost(2, "the node died"),
    messages.PendingNotice("2 slots wait"),
]


def sent(message):
    return from_json(json.loads(json.dumps(to_json(message)).encode()))


@pytest.mark.parametrize("message", [*ORDERS, *NEWS, *OF_SLOTS], ids=lambda message: type(message).__name__)
def test_a_message_is_what_it_was(message):
    found = sent(message)
    assert type(found) is type(message)
    assert found == message


def test_every_kind_of_message_is_tried_here():
    known = get_args(messages.Order | messages.News | messages.SlotMessage)
    assert {type(message) for message in [*ORDERS, *NEWS, *OF_SLOTS]} == set(known)


def test_a_piece_of_several_messages_keeps_their_order():
    assert from_bytes(to_bytes(OF_SLOTS)) == OF_SLOTS
    assert from_bytes(to_bytes([])) == []


@given(metrics=st.dictionaries(st.text(), VALUES), position=st.integers(0, 2**60))
def test_reports_are_exact(metrics, position):
    assert sent(Report(1, 2, metrics, position)) == Report(1, 2, metrics, position)


def test_numbers_that_json_has_no_word_for_come_through():
    metrics = sent(Report(1, 2, {"a": math.nan, "b": -math.inf}, 1)).metrics
    assert math.isnan(metrics["a"])
    assert metrics["b"] == -math.inf


def test_any_bytes_come_through():
    every = bytes(range(256))
    assert sent(ReportPiece(3, 0, 0, every)).content == every
