"""What every backend must do, whoever wrote it.

A test module gives a fixture `backend`, ready to start trials, and a fixture `configuration` of the space that it was opened
with. A training has nine units of resource, called `epoch`; it saves after each.
"""

import json
import time

from hpo.events.types import Exit, Report, Trial

PATIENCE = 20.0
"""Seconds after which what should have happened has not."""


def listen(backend, count=1):
    """Events up to the exit number `count`."""
    events, deadline = [], time.monotonic() + PATIENCE
    while sum(isinstance(event, Exit) for event in events) < count:
        assert time.monotonic() < deadline, f"no end; so far: {events}"
        events += backend.wait(1.0)
    return events


def resources(events, trial_id=0):
    return [e.metrics["epoch"] for e in events if isinstance(e, Report) and e.trial_id == trial_id]


class BackendContract:
    """Attempts report in order and end with an exit; what a trial has saved outlives its attempt."""

    def test_an_attempt_reports_each_unit_in_order_and_then_ends(self, backend, configuration):
        backend.start(Trial(0, configuration), 0, 3)
        *reports, end = listen(backend)
        assert resources(reports) == [1, 2, 3]
        assert all((report.trial_id, report.attempt) == (0, 0) for report in reports)
        assert (end.trial_id, end.attempt, end.exit_code, end.lost) == (0, 0, 0, False)

    def test_positions_grow_from_report_to_report(self, backend, configuration):
        backend.start(Trial(0, configuration), 0, 4)
        positions = [event.position for event in listen(backend) if isinstance(event, Report)]
        assert positions == sorted(set(positions))

    def test_a_later_attempt_goes_on_from_what_was_saved(self, backend, configuration):
        trial = Trial(0, configuration)
        backend.start(trial, 0, 2)
        listen(backend)
        backend.start(trial, 1, 5)
        events = listen(backend)
        assert resources(events) == [3, 4, 5]
        assert {event.attempt for event in events} == {1}

    def test_without_an_end_of_its_own_a_trial_runs_to_the_maximum(self, backend, configuration):
        backend.start(Trial(0, configuration), 0, None)
        assert resources(listen(backend)) == list(range(1, 10))

    def test_a_forgotten_checkpoint_is_gone(self, backend, configuration):
        trial = Trial(0, configuration)
        backend.start(trial, 0, 2)
        listen(backend)
        backend.forget_checkpoint(0)
        assert backend.checkpoint_bytes(0) == 0
        backend.start(trial, 1, 3)
        assert resources(listen(backend)) == [1, 2, 3]

    def test_several_trials_run_at_once_each_in_its_own_order(self, backend, configuration):
        for trial_id in range(3):
            backend.start(Trial(trial_id, configuration), 0, 3)
        events = listen(backend, count=3)
        for trial_id in range(3):
            assert resources(events, trial_id) == [1, 2, 3]
            (end,) = (i for i, e in enumerate(events) if isinstance(e, Exit) and e.trial_id == trial_id)
            assert all(e.trial_id != trial_id for e in events[end + 1 :])

    def test_a_stopped_attempt_ends_and_says_so_once(self, backend, configuration):
        backend.start(Trial(0, configuration), 0, None)
        events = []
        while not resources(events):
            events += backend.wait(1.0)
        backend.stop(0)
        events += listen(backend)
        assert [isinstance(event, Exit) for event in events].count(True) == 1
        assert isinstance(events[-1], Exit)
        assert list(backend.wait(0.0)) == []

    def test_to_stop_a_trial_that_does_not_run_is_nothing(self, backend):
        backend.stop(7)
        assert list(backend.wait(0.0)) == []

    def test_killed_attempts_end_too(self, backend, configuration):
        for trial_id in range(2):
            backend.start(Trial(trial_id, configuration), 0, None)
        backend.kill()
        assert {event.trial_id for event in listen(backend, count=2) if isinstance(event, Exit)} == {0, 1}

    def test_waiting_ends_when_its_time_is_over(self, backend):
        before = backend.clock()
        assert list(backend.wait(0.05)) == []
        assert backend.clock() >= before + 0.05 - 1e-3

    def test_waking_ends_the_waiting(self, backend):
        begin = time.monotonic()
        backend.wake()
        assert list(backend.wait(PATIENCE)) == []
        assert time.monotonic() - begin < PATIENCE / 2

    def test_the_clock_never_goes_back(self, backend, configuration):
        backend.start(Trial(0, configuration), 0, 5)
        times, over = [backend.clock()], False
        while not over:
            over = any(isinstance(event, Exit) for event in backend.wait(1.0))
            times.append(backend.clock())
        assert times == sorted(times)

    def test_nothing_is_left_over_of_what_was_heard(self, backend, configuration):
        backend.start(Trial(0, configuration), 0, 2)
        last = [event for event in listen(backend) if isinstance(event, Report)][-1]
        assert list(backend.left_over(0, 0, last.position)) == []

    def test_what_it_says_of_itself_can_be_stored(self, backend):
        assert json.loads(json.dumps(dict(backend.opened))) == dict(backend.opened)
        facts = json.loads(json.dumps(dict(backend.facts)))
        assert facts["backend"] == type(backend).__name__

    def test_it_runs_as_many_as_it_has_places_for(self, backend):
        assert backend.capacity is None or backend.capacity >= 1
        assert backend.waiting_for_capacity in (True, False)

    def test_an_attempt_that_is_stopped_at_once_ends_too_wherever_it_has_got_to(self, backend, configuration):
        backend.start(Trial(0, configuration), 0, None)
        backend.stop(0)
        assert not backend.holds(0)
        assert isinstance(listen(backend)[-1], Exit)
