"""Value types: immutable, equal by content, stored by name."""

import json

import pytest

from hpo.events.types import Decision, Event, Exit, Garbage, Kind, Placed, Report, Resume, Start, Status, Trial

VALUES = [
    Trial(0, {"x": 1}),
    Start({"x": 1}, 3),
    Resume(0, 3),
    Report(0, 0, {"error": 1.0}, 10),
    Garbage(0, 0, "text"),
    Exit(0, 0, 0),
    Placed(0, 0, ["0"]),
    Event(Kind.OPENED, 0.0, 0.0),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: type(v).__name__)
def test_values_cannot_be_changed(value):
    for name in type(value).__match_args__:
        with pytest.raises(AttributeError):
            setattr(value, name, None)


@pytest.mark.parametrize("value", VALUES, ids=lambda v: type(v).__name__)
def test_values_are_equal_by_content(value):
    content = {name: getattr(value, name) for name in type(value).__match_args__}
    assert type(value)(**content) == value
    assert type(value)(**{**content, next(iter(content)): 99}) != value


def test_a_start_is_no_resume_and_ends_at_the_maximum_unless_told():
    assert Start({}) != Resume(0)
    assert Start({}).until is None
    assert Resume(0).until is None


def test_decisions_and_statuses_are_stored_by_their_names():
    assert [d.value for d in Decision] == ["CONTINUE", "PAUSE", "STOP"]
    assert {s.value for s in Status} == {
        "running",
        "paused",
        "completed",
        "stopped",
        "failed",
        "timeout",
        "interrupted",
    }
    assert json.loads(json.dumps({"decision": Decision.STOP})) == {"decision": "STOP"}
    assert Decision("PAUSE") is Decision.PAUSE
    assert Kind("reported") is Kind.REPORTED


def test_what_an_event_or_an_exit_has_where_nothing_is_given_cannot_be_changed():
    for nothing in (Event(Kind.OPENED, 0.0, 0.0).body, Exit(0, 0, 0).usage):
        assert nothing == {}
        with pytest.raises(TypeError):
            nothing["text"] = ""
