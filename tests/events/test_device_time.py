"""The time for which trials hold devices."""

import pytest

from hpo.events.types import Kind, Status
from tests.events.test_state import Story


@pytest.fixture
def story():
    return Story()


def seconds(state):
    return state.device_time.seconds(state.running.values(), state.elapsed)


def test_a_trial_holds_its_devices_from_its_start_to_its_end_in_every_attempt(story):
    story.start(0)  # 0 s
    story.start(1)  # 1 s
    story.end(0, Status.PAUSED)  # 2 s: two seconds of trial 0
    story.tell(Kind.RESUMED, 0, 1, until=3)  # 3 s
    state = story.tell(Kind.NOTED, text="")  # 4 s: one second of the new attempt, three of trial 1
    assert seconds(state) == state.busy_seconds() == 2.0 + 1.0 + 3.0
    assert state.trials[0].on_devices == 2.0


def test_an_attempt_that_waits_for_its_machine_holds_none(story):
    story.start(0)  # 0 s
    story.start(1)  # 1 s
    story.tell(Kind.NOTED, 0, 0, node="a")  # 2 s: trial 0 has its machine, trial 1 waits
    state = story.tell(Kind.NOTED, text="")  # 3 s
    assert seconds(state) == 1.0
    assert [state.device_time.holds(trial) for trial in state.trials.values()] == [True, False]
    story.end(1, Status.INTERRUPTED)  # 4 s: it never had one
    story.end(0, Status.COMPLETED)  # 5 s
    assert state.trials[1].on_devices == 0.0
    assert state.trials[0].on_devices == seconds(state) == 5.0 - 2.0


def test_hours_are_those_of_all_devices_of_a_trial(story):
    story.start(0)
    state = story.end(0, Status.COMPLETED)  # a second
    assert state.device_time.hours([], state.elapsed, devices_per_trial=4) == pytest.approx(4 / 3600)
