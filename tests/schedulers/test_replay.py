"""A log, cut anywhere, brings a fresh scheduler and state to where they were; a changed decision is found."""

import copy
import random
from dataclasses import asdict, replace

import pytest

from hpo.errors import StoreError
from hpo.events.state import ExperimentState
from hpo.events.types import Decision, Event, Kind, Resume, Start, Status, Trial
from hpo.schedulers.capabilities import SchedulerCapabilities
from hpo.schedulers.replay import DecisionDifference, feed, restore, suggestion_of, tell_end, verify
from hpo.tuner.stopping import Budget
from tests.support.fakes import EVERY, METHODS, SPACE, Crash, FailingLog, FakeExperiment, Lose, MemoryLog, Say
from tests.support.marks import or_slow

SEEDS = [0, 1, 2]
REASONS = {"PBT": "5 of the 5 members of the population have reached 9"}
FAULTS = {1: [Crash(2)], 2: [Lose(1)], 5: [Crash(1)], 6: [Say({"error": "high", "epoch": 1})]}


class Remembering(ExperimentState):
    """Keeps a copy of itself after every event."""

    def apply(self, event, outcome=None):
        super().apply(event, outcome)
        SNAPSHOTS.append(asdict(copy.deepcopy(self)))


SNAPSHOTS: list[dict] = []


def experiment_of(method, seed, **options):
    options = {"n_workers": 3, "budget": Budget(max_num_trials=9), **options}
    return FakeExperiment(method, seed=seed, backend={"faults": FAULTS, "late_reports": 1}, **options)


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("seed", or_slow(SEEDS, SEEDS[:1]))
@pytest.mark.long
def test_the_log_cut_anywhere_gives_the_state_of_that_moment(method, seed):
    SNAPSHOTS.clear()
    experiment = experiment_of(method, seed)
    live = Remembering(experiment.objective)
    experiment.session(live).run()
    events = experiment.log.events
    assert len(SNAPSHOTS) == len(events) > 30
    for cut in range(1, len(events) + 1, 3):
        state = ExperimentState(experiment.objective)
        restore(experiment.scheduler(), state, events[:cut])
        assert asdict(state) == SNAPSHOTS[cut - 1]


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("seed", or_slow(SEEDS, SEEDS[:1]))
@pytest.mark.long
def test_a_scheduler_fed_the_log_to_any_point_decides_the_rest_as_it_was_decided(method, seed):
    experiment = experiment_of(method, seed)
    experiment.run()
    events = experiment.log.events
    cuts = random.Random(seed).sample(range(len(events)), 12)
    for cut in [0, *cuts]:
        scheduler, state, count = experiment.scheduler(), ExperimentState(experiment.objective), [0]
        restore(scheduler, state, events[:cut])
        rest = list(enumerate(events))[cut:]
        assert list(verify(scheduler, state, rest, count)) == []
        decided = [e for e in events[cut:] if e.kind in (Kind.STARTED, Kind.RESUMED, Kind.REPORTED)]
        assert count == [len(decided)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.long
def test_failed_trials_that_are_trained_again_are_taken_as_given_and_all_other_decisions_verify(method, stored):
    experiment = experiment_of(method, 0)
    experiment.run()
    failed = {e.trial for e in experiment.log.events if e.kind == Kind.ENDED and e.body["status"] == Status.FAILED}
    assert failed
    experiment.retry = True
    crash = FailingLog(4, stored=stored)
    crash.events[:] = experiment.log.events
    experiment.log = crash
    with pytest.raises(StoreError):
        experiment.run()
    experiment.run()
    state = ExperimentState(experiment.objective)
    scheduler = experiment.scheduler()
    assert list(verify(scheduler, state, list(enumerate(experiment.log.events)), [0])) == []
    again = {e.body["retries"]: e for e in experiment.log.events if e.kind == Kind.STARTED and "retries" in e.body}
    assert set(again) == failed
    for trial, event in again.items():
        assert event.body["configuration"] == state.trials[trial].trial.configuration
        assert state.trials[event.trial].status not in (Status.FAILED, Status.RUNNING)
    assert scheduler.searcher.suggested == state.counted_trials == len(state.trials) - len(failed) == 9
    assert not state.failed_trials()


def sessions(experiment):
    """Run it in three: one is interrupted, one crashes, one ends well."""
    tuner = experiment.session()
    tuner.backend.at(6.5, tuner.interrupt)
    tuner.run()
    tuner = experiment.session()
    tuner.backend.at(experiment.clock.now + 4.5, crash)
    with pytest.raises(KeyboardInterrupt):
        tuner.run()
    return experiment.run()


def crash():
    raise KeyboardInterrupt


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_log_of_several_sessions_verifies_without_a_difference(method, seed):
    experiment = experiment_of(method, seed)
    reason, state, events = sessions(experiment)
    assert reason == REASONS.get(method, "max_num_trials=9 trials are done")
    assert state.sessions == 3
    count = [0]
    fresh = ExperimentState(experiment.objective)
    assert list(verify(experiment.scheduler(), fresh, enumerate(events), count)) == []
    assert asdict(fresh) == asdict(state)


def decision_log(events):
    """What was started, resumed and answered, in order: no times, no attempts, no sessions."""
    log = []
    for event in events:
        if event.kind == Kind.STARTED:
            log.append((event.kind, event.trial, event.body["until"], event.body["configuration"]))
        elif event.kind == Kind.RESUMED:
            log.append((event.kind, event.trial, event.body["until"]))
        elif event.kind == Kind.REPORTED:
            log.append((event.kind, event.trial, event.resource, event.body["metrics"], event.body["decision"]))
    return log


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("stored", [False, True], ids=["before_the_commit", "after_the_commit"])
@pytest.mark.long
def test_one_worker_that_crashes_at_any_commit_decides_what_it_would_have_decided(method, stored):
    whole = FakeExperiment(method, n_workers=1, budget=Budget(max_num_trials=7))
    whole.run()
    expected = decision_log(whole.log.events)
    for at in range(0, whole.log.commits, 3):
        experiment = replace(
            whole, log=FailingLog(at, stored=stored), disk=type(whole.disk)(), clock=type(whole.clock)()
        )
        with pytest.raises(StoreError):
            experiment.run()
        experiment.run()
        assert decision_log(experiment.log.events) == expected


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.long
def test_one_worker_that_is_interrupted_at_any_time_decides_what_it_would_have_decided(method):
    whole = FakeExperiment(method, n_workers=1, budget=Budget(max_num_trials=7))
    whole.run()
    expected = decision_log(whole.log.events)
    for when in (event.elapsed for event in whole.log.events[1:-1:4]):
        experiment = replace(whole, log=MemoryLog(), disk=type(whole.disk)(), clock=type(whole.clock)())
        tuner = experiment.session()
        tuner.backend.at(when, tuner.interrupt)
        tuner.run()
        experiment.run()
        assert decision_log(experiment.log.events) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_a_crash_of_several_workers_loses_no_report(seed):
    experiment = experiment_of("ASHA", seed, log=FailingLog(20))
    with pytest.raises(StoreError):
        experiment.run()
    _, state, events = experiment.run()
    reported = {(e.trial, e.resource) for e in events if e.kind == Kind.REPORTED}
    assert len(reported) == sum(e.kind == Kind.REPORTED for e in events)
    for trial in state.trials.values():
        assert {r for t, r in reported if t == trial.trial.id} == set(range(1, trial.resource + 1))


# ---------------------------------------------------------------------- differences


def whole_log(method):
    experiment = FakeExperiment(method, n_workers=2)
    experiment.run()
    return experiment, list(experiment.log.events)


def differences(experiment, events):
    return list(verify(experiment.scheduler(), ExperimentState(experiment.objective), enumerate(events), [0]))


def changed(event, **body):
    return event._replace(body={**event.body, **body})


@pytest.mark.parametrize("method", EVERY)
def test_a_changed_configuration_is_found(method):
    experiment, events = whole_log(method)
    index = [i for i, e in enumerate(events) if e.kind == Kind.STARTED][4]
    configuration = {**events[index].body["configuration"], "x": 0.123}
    events[index] = changed(events[index], configuration=configuration)
    first = differences(experiment, events)[0]
    assert first.sequence == index
    assert "0.123" in first.logged
    assert "0.123" not in first.replayed


@pytest.mark.parametrize("method", EVERY)
def test_a_changed_decision_is_found_and_nothing_else(method):
    experiment, events = whole_log(method)
    reports = [i for i, e in enumerate(events) if e.kind == Kind.REPORTED]
    for index in (reports[0], reports[len(reports) // 2], reports[-1]):
        logged = events[index].body["decision"]
        other = next(d for d in Decision if d != logged)
        tampered = [*events[:index], changed(events[index], decision=other.value), *events[index + 1 :]]
        assert differences(experiment, tampered) == [DecisionDifference(index, other, logged)]


@pytest.mark.parametrize("method", ["ASHA", "HYPERBAND"])
def test_a_changed_promotion_is_found(method):
    experiment, events = whole_log(method)
    index = next(i for i, e in enumerate(events) if e.kind == Kind.RESUMED)
    until = events[index].body["until"]
    events[index] = changed(events[index], until=until + 1)
    assert differences(experiment, events)[0].sequence == index


def test_a_changed_metric_changes_what_follows():
    experiment, events = whole_log("ASHA")
    index = next(i for i, e in enumerate(events) if e.kind == Kind.REPORTED)
    metrics = {**events[index].body["metrics"], "error": -100.0}
    events[index] = changed(events[index], metrics=metrics)
    found = differences(experiment, events)
    assert found
    assert all(d.sequence > index for d in found)


def test_another_seed_does_not_verify():
    experiment, events = whole_log("RS")
    assert differences(replace(experiment, seed=1), events)


# ---------------------------------------------------------------------- one event at a time


class Told:
    """A scheduler that notes what it is told."""

    capabilities = SchedulerCapabilities()

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *arguments, **named: self.calls.append((name, *arguments, *named.items()))


def fed(event, *before):
    state = ExperimentState(FakeExperiment().objective).apply_all(before)
    told = Told()
    feed(told, state, event)
    return told.calls


STARTED = Event(Kind.STARTED, 0.0, 0.0, 0, 0, body={"configuration": {"x": 0.5}, "until": 3})


def test_a_start_is_accepted_and_numbered():
    assert fed(STARTED) == [("accept", Start({"x": 0.5}, 3)), ("on_start", Trial(0, {"x": 0.5}))]


def test_a_resumption_is_accepted():
    resumed = Event(Kind.RESUMED, 0.0, 0.0, 0, 1, body={"until": 9})
    assert fed(resumed, STARTED) == [("accept", Resume(0, 9))]


def test_a_report_is_told_as_a_loss():
    reported = Event(Kind.REPORTED, 1.0, 1.0, 0, 0, 1, {"metrics": {"error": float("nan"), "epoch": 1}})
    assert fed(reported, STARTED) == [("on_report", Trial(0, {"x": 0.5}), 1, float("inf"))]


@pytest.mark.parametrize("kind", [Kind.OPENED, Kind.RESTARTED, Kind.DROPPED, Kind.NOTED, Kind.FINISHED])
def test_what_is_no_decision_is_not_told(kind):
    assert fed(Event(kind, 1.0, 1.0, 0, 0), STARTED) == []


def test_a_cost_is_told_before_its_loss_and_a_budget_in_cost_as_it_is_given_and_as_commands_change_it():
    paid = replace(FakeExperiment().objective, cost_attr="dollars")
    state, told = ExperimentState(paid), Told()
    metrics = {"error": 0.5, "epoch": 1, "dollars": 3.0}
    new = {"id": "7", "command": "budget", "arguments": {}, "by": "me", "accepted": True, "old": {"max_cost": 9.0}}
    for event in (
        Event(Kind.OPENED, 0.0, 0.0, body={"budget": {"max_cost": 9.0}}),
        STARTED,
        Event(Kind.REPORTED, 1.0, 1.0, 0, 0, 1, {"metrics": metrics, "decision": "CONTINUE", "position": 9}),
        Event(Kind.COMMANDED, 2.0, 2.0, body={**new, "new": {"max_cost": 20.0}}),
        Event(
            Kind.OPENED, 3.0, 3.0, body={"budget": {"max_cost": 9.0}}
        ),  # what was given before: the command still holds
        Event(Kind.OPENED, 4.0, 4.0, body={"budget": {"max_cost": 30.0}}),
    ):
        feed(told, state, event)
        state.apply(event)
    trial = Trial(0, {"x": 0.5})
    assert [call for call in told.calls if call[0] not in ("accept", "on_start")] == [
        ("on_budget", ("max_cost", 9.0)),
        ("on_cost", trial, 1, 3.0),
        ("on_report", trial, 1, 0.5),
        ("on_budget", ("max_cost", 20.0)),
        ("on_budget", ("max_cost", 20.0)),
        ("on_budget", ("max_cost", 30.0)),
    ]


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (Status.COMPLETED, "on_complete"),
        (Status.FAILED, "on_error"),
        (Status.TIMEOUT, "on_error"),
        (Status.PAUSED, "on_paused"),
        (Status.STOPPED, None),
        (Status.INTERRUPTED, None),
    ],
)
def test_an_end_is_told_where_it_concerns_the_scheduler(status, name):
    trial, told = Trial(0, {"x": 0.5}), Told()
    tell_end(told, trial, status)
    expected = [] if name is None else [(name, trial)]
    assert told.calls == expected
    assert fed(Event(Kind.ENDED, 1.0, 1.0, 0, 0, body={"status": status.value}), STARTED) == expected


def test_a_suggestion_can_be_read_off_its_event():
    assert suggestion_of(STARTED) == Start({"x": 0.5}, 3)
    assert suggestion_of(Event(Kind.RESUMED, 0.0, 0.0, 4, 1, body={"until": None})) == Resume(4, None)


def test_the_space_of_the_fakes_is_what_configurations_are_made_of():
    experiment, events = whole_log("RS")
    assert all(set(e.body["configuration"]) == set(SPACE) for e in events if e.kind == Kind.STARTED)
    assert experiment.space is SPACE


@pytest.mark.parametrize("at", range(4, 40, 3))
@pytest.mark.parametrize("stored", [False, True], ids=["before_the_commit", "after_the_commit"])
def test_a_crash_while_a_promoted_trial_is_on_its_way_out_is_recovered_from(at, stored):
    experiment = FakeExperiment(
        "ASHA",
        n_workers=2,
        log=FailingLog(at, stored=stored),
        backend={"exit_delay": 50.0},
        limits={"grace": 1000.0},
    )
    with pytest.raises(StoreError):
        experiment.run()
    reason, state, events = experiment.run()
    assert reason == "max_num_trials=12 trials are done"
    assert {trial.status for trial in state.trials.values()} <= {Status.PAUSED, Status.COMPLETED}
    assert differences(experiment, events) == []
