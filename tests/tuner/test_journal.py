"""Events are gathered, stored together, and only then acted upon and shown."""

import logging

import pytest

from hpo import Callback, Trial
from hpo.errors import StoreError
from hpo.events.state import ExperimentState
from hpo.events.types import Kind
from hpo.tuner.journal import Journal
from tests.support.fakes import OBJECTIVE, FailingLog, MemoryLog


def journal_with(log=None, callbacks=()):
    times = iter(range(100))
    return Journal(log or MemoryLog(), ExperimentState(OBJECTIVE), lambda: float(next(times)), lambda: 1e9, callbacks)


def test_an_event_reaches_the_state_at_once_and_the_log_with_the_commit():
    journal = journal_with()
    journal.emit(Kind.STARTED, 0, 0, body={"configuration": {"x": 1}, "until": 3})
    assert 0 in journal.state.trials
    assert journal.events.events == []
    journal.commit()
    (event,) = journal.events.events
    assert (event.kind, event.trial, event.attempt, event.resource) == (Kind.STARTED, 0, 0, None)
    assert (event.elapsed, event.time) == (0.0, 1e9)


def test_the_events_of_a_turn_are_one_commit():
    journal = journal_with()
    for text in "abc":
        journal.note(text)
    journal.commit()
    assert journal.events.commits == 1
    assert [event.body["text"] for event in journal.events.events] == ["a", "b", "c"]
    journal.commit()
    assert journal.events.commits == 1, "nothing new, nothing to store"


def test_actions_follow_the_commit_and_callbacks_follow_the_actions():
    order = []

    class Log(MemoryLog):
        def append(self, events):
            order.append("stored")
            super().append(events)

    class Shown(Callback):
        def on_event(self, event):
            order.append("shown")

    journal = journal_with(Log(), [Shown()])
    journal.act(order.append, "first")
    journal.emit(Kind.NOTED, body={"text": ""})
    journal.act(order.append, "second")
    assert order == []
    journal.commit()
    assert order == ["stored", "first", "second", "shown"]


def test_actions_without_events_are_done_by_the_commit():
    done = []
    journal = journal_with()
    journal.act(done.append, 1)
    journal.commit()
    journal.commit()
    assert done == [1]
    assert journal.events.commits == 0


def test_nothing_is_done_or_shown_when_nothing_is_stored():
    done = []

    class Shown(Callback):
        def on_event(self, event):
            done.append(event)

    journal = journal_with(FailingLog(0), [Shown()])
    journal.emit(Kind.NOTED, body={"text": ""})
    journal.act(done.append, 1)
    with pytest.raises(StoreError):
        journal.commit()
    assert done == []


def test_a_note_is_logged(caplog):
    journal = journal_with()
    journal.note("look at 100% of this", 3)
    journal.commit()
    assert "look at 100% of this" in caplog.text
    assert journal.events.events[0].trial == 3


def test_a_note_that_nobody_has_to_act_on_is_stored_and_is_no_warning(caplog):
    journal = journal_with()
    journal.note("trial 3 is on GPU 1", 3, 2, level=logging.INFO, devices=["1"])
    journal.commit()
    (event,) = journal.events.events
    assert (event.trial, event.attempt, event.body) == (3, 2, {"text": "trial 3 is on GPU 1", "devices": ["1"]})
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


class Column(Callback):
    def __init__(self, **columns):
        self.columns = columns

    def extra_results(self, trial, metrics):
        return {name: value + metrics["error"] for name, value in self.columns.items()}

    def on_idle(self):
        return self.columns.get("b")


def test_the_columns_of_all_callbacks_are_joined():
    journal = journal_with(callbacks=[Column(a=1), Callback(), Column(b=2)])
    assert journal.extra_results(Trial(0, {}), {"error": 0.5}) == {"a": 1.5, "b": 2.5}


def test_the_wishes_of_callbacks_are_gathered():
    assert journal_with(callbacks=[Column(a=1), Column(b=2), Column(b=0.0), Callback()]).next_call() == [2, 0.0]


class Broken(Callback):
    def on_event(self, event):
        raise ValueError("a mistake")

    extra_results = on_event


def test_a_mistake_in_a_callback_is_logged_once_and_the_others_are_called(caplog):
    seen = []

    class Fine(Callback):
        def on_event(self, event):
            seen.append(event)

    journal = journal_with(callbacks=[Broken(), Fine()])
    for _ in range(3):
        journal.emit(Kind.NOTED, body={"text": ""})
    journal.commit()
    assert journal.extra_results(Trial(0, {}), {}) == {}
    assert len(seen) == 3
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "Broken" in errors[0].message
    assert "a mistake" in caplog.text


def test_an_interruption_from_the_keyboard_is_no_mistake_of_a_callback():
    class Interrupted(Callback):
        def on_event(self, event):
            raise KeyboardInterrupt

    journal = journal_with(callbacks=[Interrupted()])
    journal.emit(Kind.NOTED, body={"text": ""})
    with pytest.raises(KeyboardInterrupt):
        journal.commit()
