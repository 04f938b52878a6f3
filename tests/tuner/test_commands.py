"""Commands to a running experiment: taken exactly once, obeyed in every state of a trial, and given for a replay."""

from dataclasses import asdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpo import Callback
from hpo.errors import StoreError
from hpo.events.state import ExperimentState
from hpo.events.values import Decision, Kind, Status
from hpo.schedulers.replay import verify
from hpo.tuner.stopping import Budget
from tests.support.fakes import CONTRACTED, FailingLog, FakeExperiment

PAUSING = (
    *("ASHA", "HYPERBAND", "SYNC-HYPERBAND", "PRIORBAND", "ASHA-GP", "HYPERTUNE"),
    *("ASHA-TPE", "BOHB", "MO-ASHA", "MO-ASHA-GP"),
)


def of_kind(events, kind):
    return [event for event in events if event.kind == kind]


def differences(fake):
    """What a replay of the log finds."""
    return list(verify(fake.scheduler(), ExperimentState(fake.objective), enumerate(fake.log.events, 1), [0]))


def answers(fake):
    """Of each command: was it accepted?"""
    return [(e.body["command"], e.body["accepted"]) for e in of_kind(fake.log.events, Kind.COMMANDED)]


class StopAt(Callback):
    """Has a trial stopped at the `nth` moment at which one `is_there`, by the event that brings it there."""

    def __init__(self, fake, nth, is_there):
        self.fake, self.left, self.is_there, self.tuner, self.trial = fake, nth, is_there, None, None

    def on_event(self, event):
        gone_on = self.is_there is paused and event.trial in self.tuner.state.running  # in the same turn
        if self.trial is None and self.is_there(event) and not gone_on:
            self.left -= 1
            if self.left == 0:
                self.trial = event.trial
                self.fake.inbox.give("stop", trial=event.trial)
                self.tuner.backend.knock(self.fake.clock.now)


def running(event):
    return event.kind == Kind.REPORTED and event.body["decision"] == Decision.CONTINUE


def started(event):
    return event.kind in (Kind.STARTED, Kind.RESUMED)


def ending(event):
    return event.kind == Kind.REPORTED and event.body["decision"] == Decision.PAUSE


def paused(event):
    return event.kind == Kind.ENDED and event.body["status"] == Status.PAUSED


@pytest.mark.parametrize("late_reports", [0, 2])
@pytest.mark.parametrize(
    ("method", "is_there"),
    [(name, there) for name in CONTRACTED for there in (running, started)]
    + [(name, there) for name in PAUSING for there in (ending, paused)],
)
def test_a_stopped_trial_gets_no_further_result_and_the_others_go_on_to_the_end(method, is_there, late_reports):
    count = 20 if is_there is paused or method == "SYNC-HYPERBAND" else 8  # 3 of 14 trials get to the maximum of the latter
