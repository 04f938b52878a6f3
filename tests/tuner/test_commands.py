"""Commands to a running experiment: taken exactly once, obeyed in every state of a trial, and given for a replay."""

from dataclasses import asdict
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpo import Callback
from hpo.errors import StoreError
from hpo.events.state import ExperimentState
from hpo.events.types import Decision, Kind, Status
from hpo.schedulers.replay import verify
from hpo.tuner import commands
from hpo.tuner.stopping import Budget
from tests.support.fakes import CONTRACTED, FailingLog, FakeExperiment, MemoryInbox

PAUSING = (
    *("ASHA", "HYPERBAND", "SYNC-HYPERBAND", "PRIORBAND", "ASHA-GP", "ASHA-GP-TIME", "HYPERTUNE"),
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
    # Two synchronous brackets have 14 trials, of which 3 get to the maximum.
    count = 20 if is_there is paused or method == "SYNC-HYPERBAND" else 8
    for nth in (1, 4):
        options = {"n_workers": 2, "budget": Budget(max_num_trials=count), "backend": {"late_reports": late_reports}}
        fake = FakeExperiment(method, **options)
        fake.callbacks = [stopping := StopAt(fake, nth, is_there)]
        tuner = stopping.tuner = fake.session()
        reason = tuner.run({"budget": asdict(fake.budget)})
        assert reason == f"max_num_trials={count} trials are done"
        assert stopping.trial is not None
        assert answers(fake) == [("stop", True)]
        at = next(i for i, e in enumerate(fake.log.events) if e.kind == Kind.COMMANDED)
        after = [e.kind for e in fake.log.events[at + 1 :] if e.trial == stopping.trial]
        assert not {Kind.REPORTED, Kind.RESUMED, Kind.RESTARTED} & set(after)
        assert tuner.state.trials[stopping.trial].status == Status.STOPPED
        assert sum(tuner.state.counts().values()) == count
        assert not tuner.state.running
        ends = [e for e in fake.log.events[at:] if e.kind == Kind.ENDED and e.trial == stopping.trial]
        assert [(e.body["status"], e.body["by"]) for e in ends] == ([] if is_there is paused else [("stopped", "0000")])
        assert differences(fake) == []
        others = [t for t in tuner.state.trials.values() if t.trial.id != stopping.trial]
        if method == "SYNC-HYPERBAND":  # a bracket that waited for ever would leave them where they are
            assert sum(t.resource == 9 for t in others) >= 2


def test_a_trial_that_was_promoted_while_its_processes_were_ending_does_not_begin_again():
    fake = FakeExperiment("ASHA", n_workers=2, budget=Budget(max_num_trials=6), backend={"exit_delay": 4.0})
    promoted = {}

    def is_there(event):
        if event.kind == Kind.RESUMED and tuner.state.trials[event.trial].then is not None:
            promoted[event.trial] = event.attempt
            return True
        return False

    fake.callbacks = [stopping := StopAt(fake, 1, is_there)]
    tuner = stopping.tuner = fake.session()
    assert tuner.run() == "max_num_trials=6 trials are done"
    (trial,) = promoted
    assert (trial, promoted[trial]) not in [call[:2] for call in tuner.backend.called("start")]
    assert tuner.state.trials[trial].status == Status.STOPPED
    assert differences(fake) == []


def session(fake, *script):
    """A session with (when, verb, arguments) of commands."""
    tuner = fake.session()
    for when, verb, arguments in script:
        tuner.backend.knock(when, lambda verb=verb, arguments=arguments: fake.inbox.give(verb, **arguments))
    return tuner


def test_while_it_is_held_nothing_starts_and_nothing_goes_on_and_then_all_does():
    fake = FakeExperiment("ASHA", n_workers=3)
    tuner = session(fake, (5.1, "hold", {}), (60.0, "go-on", {}))
    assert tuner.run() == "max_num_trials=12 trials are done"
    begun = [e.elapsed for e in fake.log.events if e.kind in (Kind.STARTED, Kind.RESUMED)]
    assert not [at for at in begun if 5.1 < at < 60.0]
    assert max(begun) >= 60.0
    assert answers(fake) == [("hold", True), ("go-on", True)]
    assert differences(fake) == []


def test_a_held_experiment_does_not_end_by_itself_but_by_time():
    fake = FakeExperiment("RS", n_workers=2, budget=Budget(max_num_trials=2, max_wallclock_time=100.0))
    assert session(fake, (0.1, "hold", {})).run() == "max_wallclock_time=100 s is over"
    assert fake.log.events[-1].elapsed == 100.0


def test_a_raised_budget_starts_further_trials_and_the_last_word_is_in_the_log():
    fake = FakeExperiment("RS", n_workers=2, budget=Budget(max_num_trials=3))
    told = []
    tuner = session(fake, (2.0, "budget", {"max_num_trials": 5}))
    tuner.on_budget = told.append
    assert tuner.run({"budget": asdict(fake.budget)}) == "max_num_trials=5 trials are done"
    assert told == [Budget(max_num_trials=5)]
    (event,) = of_kind(fake.log.events, Kind.COMMANDED)
    assert (event.body["old"], event.body["new"]) == ({"max_num_trials": 3}, {"max_num_trials": 5})
    finished = fake.log.events[-1].body
    assert finished["budget"]["max_num_trials"] == 5
    assert finished["given"]["max_num_trials"] == 3


def test_a_commanded_budget_stays_while_the_same_one_is_given_and_goes_with_another():
    fake = FakeExperiment("RS", n_workers=1, budget=Budget(max_num_trials=3), log=FailingLog(6, stored=True))
    tuner = session(fake, (1.0, "budget", {"max_num_trials": 9}))
    with pytest.raises(StoreError):
        tuner.run({"budget": fake.budget.limits(fake.objective)})
    assert fake.session().budget.max_num_trials == 9
    fake.budget = Budget(max_num_trials=4)
    assert fake.run()[0] == "max_num_trials=4 trials are done"


def test_an_end_on_request_gives_running_trials_their_grace_and_names_who_asked():
    fake = FakeExperiment("RS", n_workers=2)
    tuner = session(fake, (3.0, "end", {}))
    assert tuner.run() == "ended on request by me"
    assert tuner.state.counts()[Status.INTERRUPTED] == 2
    assert len(tuner.backend.called("stop")) == 2


def test_an_interrupt_ends_the_session_and_not_the_experiment():
    fake = FakeExperiment("RS", n_workers=2, budget=Budget(max_num_trials=4))
    tuner = session(fake, (3.0, "interrupt", {}))
    assert tuner.run() is None
    assert tuner.interrupted_by == "me"
    assert fake.run()[0] == "max_num_trials=4 trials are done"


def test_an_interrupt_that_was_meant_for_an_earlier_session_is_refused():
    fake = FakeExperiment("RS", budget=Budget(max_num_trials=2))
    fake.inbox.give("interrupt")
    fake.inbox.opened = "1"
    assert fake.run()[0] == "max_num_trials=2 trials are done"
    assert answers(fake) == [("interrupt", False)]


def test_what_was_left_before_the_session_is_taken_at_its_begin():
    fake = FakeExperiment("RS", budget=Budget(max_num_trials=2))
    fake.inbox.give("budget", max_num_trials=3)
    assert fake.run()[0] == "max_num_trials=3 trials are done"
    assert [event.kind for event in fake.log.events[:3]] == [Kind.OPENED, Kind.COMMANDED, Kind.STARTED]


def test_where_nothing_tells_of_a_command_it_is_found_within_five_seconds(monkeypatch):
    fake = FakeExperiment("RS", n_workers=1, budget=Budget(max_num_trials=4))
    monkeypatch.setattr(commands, "time", SimpleNamespace(monotonic=lambda: fake.clock.now))
    tuner = fake.session()
    tuner.commands.heard = False
    tuner.backend.at(7.0, lambda: fake.inbox.give("budget", max_num_trials=2))
    assert tuner.run() == "max_num_trials=2 trials are done"
    (event,) = of_kind(fake.log.events, Kind.COMMANDED)
    assert 7.0 <= event.elapsed <= 12.0


def test_what_cannot_be_read_is_in_the_log_as_refused_and_is_not_read_again():
    class Odd(MemoryInbox):
        def read(self, name):
            raise ValueError("it is no JSON object")

    fake = FakeExperiment("RS", budget=Budget(max_num_trials=2), inbox=Odd())
    fake.inbox.give("end")
    assert fake.run()[0] == "max_num_trials=2 trials are done"
    (event,) = of_kind(fake.log.events, Kind.COMMANDED)
    assert (event.body["command"], event.body["accepted"]) == ("unknown", False)
    assert event.body["why"] == "it cannot be read: it is no JSON object"
    assert fake.inbox.waiting() == []


SCRIPTS = st.lists(
    st.tuples(
        st.floats(0.0, 40.0),
        st.one_of(
            st.tuples(st.just("stop"), st.fixed_dictionaries({"trial": st.integers(0, 9)})),
            st.tuples(st.sampled_from(["hold", "go-on", "end", "interrupt", "fly"]), st.just({})),
            st.tuples(st.just("budget"), st.fixed_dictionaries({"max_num_trials": st.integers(1, 10)})),
        ),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    method=st.sampled_from(["RS", "ASHA", "ASHA-STOP", "SYNC-HYPERBAND"]),
    script=SCRIPTS,
    deaths=st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=3),
)
def test_whatever_kills_the_tuner_each_command_is_in_the_log_once_and_replay_finds_no_difference(
    method, script, deaths
):
    fake = FakeExperiment(method, n_workers=2, budget=Budget(max_num_trials=6, max_wallclock_time=300.0))
    for at, stored in [*deaths, (-1, False)]:
        log = FailingLog(at, stored=stored)
        log.events = list(fake.log.events)
        fake.log = log
        tuner = session(fake, *((max(when, fake.clock.now), *what) for when, what in script))
        script = []  # what the killed session had not been given is given no more
        try:
            tuner.run({"budget": asdict(fake.budget)})
        except StoreError:
            continue
        if tuner.state.finished is not None:
            break
    while fake.session().state.finished is None and not fake.session().state.steering.held:
        fake.run()
    assert fake.inbox.waiting() == []
    ids = [event.body["id"] for event in of_kind(fake.log.events, Kind.COMMANDED)]
    assert sorted(ids) == sorted(fake.inbox.commands)
    assert differences(fake) == []
    state = fake.session().state
    for event in of_kind(fake.log.events, Kind.COMMANDED):
        if event.trial is not None:
            assert state.trials[event.trial].status == Status.STOPPED
