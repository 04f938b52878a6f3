"""A callback that overrides nothing does nothing."""

from hpo import Callback
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Kind, Trial
from tests.support.fakes import OBJECTIVE, run_fake


def test_a_callback_that_overrides_nothing_adds_and_asks_for_nothing():
    callback = Callback()
    assert callback.on_open(ExperimentState(OBJECTIVE)) is None
    assert callback.on_event(Event(Kind.OPENED, 0.0, 0.0)) is None
    assert dict(callback.extra_results(Trial(0, {}), {})) == {}
    assert callback.on_idle() is None
    assert callback.on_close() is None


def test_a_callback_that_overrides_nothing_leaves_the_log_as_it_is():
    assert run_fake("ASHA", callbacks=[Callback()])[2] == run_fake("ASHA")[2]


def test_a_callback_sees_a_state_that_has_taken_in_the_event():
    behind = []

    class Follower(Callback):
        def on_open(self, state):
            self.state = state

        def on_event(self, event):
            if event.kind == Kind.STARTED and event.trial not in self.state.trials:
                behind.append(event)

    run_fake("ASHA", callbacks=[Follower()])
    assert behind == []
