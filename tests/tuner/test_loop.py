"""The tuner on a virtual clock: budgets, failures, late reports, interruptions, checkpoints, what is stored first."""

import itertools
import logging
import math
from collections import Counter

import pytest

from hpo import Callback
from hpo.errors import ExperimentError, StoreError
from hpo.events.objective import Objective
from hpo.events.types import Decision, Kind, Status
from hpo.tuner.stopping import Budget
from tests.support.fakes import (
    EVERY,
    HALVING,
    METHODS,
    TINY,
    Crash,
    FailingLog,
    FakeExperiment,
    Garble,
    Hang,
    Lose,
    Say,
    run_fake,
)


def of_kind(events, kind):
    return [event for event in events if event.kind == kind]


def statuses(state):
    return Counter(trial.status for trial in state.trials.values())


def two_configurations(**options):
    """Random search over two trials, without noise in time: trial 0 takes 1 s per epoch, trial 1 takes 2."""
    defaults = {
        "n_workers": 2,
        "max_resource": 3,
        "budget": Budget(max_num_trials=2),
        "backend": {"seconds": lambda trial_id, _: 1.0 + trial_id, **options.pop("backend", {})},
    }
    return FakeExperiment("RS", **{**defaults, **options})


# ---------------------------------------------------------------------- budgets


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_workers", [1, 3])
def test_after_the_last_trial_has_started_running_and_paused_ones_go_on(method, n_workers):
    reason, state, events = run_fake(method, n_workers=n_workers, budget=Budget(max_num_trials=7))
    assert reason == "max_num_trials=7 trials are done"
    assert len(state.trials) == 7
    assert not state.running
    assert set(statuses(state)) <= {Status.COMPLETED, Status.PAUSED, Status.STOPPED}
    last_start = max(i for i, e in enumerate(events) if e.kind == Kind.STARTED)
    assert of_kind(events[last_start:], Kind.REPORTED)
    assert events[-1].kind == Kind.FINISHED
    assert events[-1].body["reason"] == reason


def test_paused_trials_are_still_promoted_after_the_last_start():
    _, _, events = run_fake("ASHA", n_workers=1, budget=Budget(max_num_trials=2))
    assert [e.kind for e in events if e.kind in (Kind.STARTED, Kind.RESUMED)][:3] == [
        Kind.STARTED,
        Kind.STARTED,
        Kind.RESUMED,
    ]


@pytest.mark.parametrize("method", EVERY)
def test_the_last_evaluation_ends_everything(method):
    reason, state, events = run_fake(method, n_workers=1, budget=Budget(max_num_evaluations=17))
    assert reason == "max_num_evaluations=17 reports are in"
    assert state.reports == len(of_kind(events, Kind.REPORTED)) == 17
    assert not state.running


@pytest.mark.parametrize("method", EVERY)
def test_the_first_report_as_good_as_the_target_is_the_last_and_a_better_target_goes_on(method):
    _, _, undisturbed = run_fake(method, n_workers=1, budget=Budget(max_num_evaluations=60))
    losses = [event.body["metrics"]["error"] for event in of_kind(undisturbed, Kind.REPORTED)]
    target = sorted(losses)[10]
    experiment = FakeExperiment(method, n_workers=1, budget=Budget(max_num_evaluations=60, target_value=target))
    reason, state, events = experiment.run()
    assert reason.startswith("target_value=")
    first = next(index for index, loss in enumerate(losses) if loss <= target)
    assert [event.body["metrics"]["error"] for event in of_kind(events, Kind.REPORTED)] == losses[: first + 1]
    assert not state.running
    experiment.budget = Budget(max_num_evaluations=60)
    _, _, events = experiment.run()
    assert [event.body["metrics"]["error"] for event in of_kind(events, Kind.REPORTED)] == losses


@pytest.mark.parametrize("method", EVERY)
def test_the_wallclock_budget_is_that_of_the_experiments_clock(method):
    experiment = FakeExperiment(method, budget=Budget(max_wallclock_time=20.0))
    reason, state, events = experiment.run()
    assert reason == "max_wallclock_time=20 s is over"
    assert all(event.elapsed <= 20.0 for event in of_kind(events, Kind.REPORTED))
    assert experiment.clock.now == pytest.approx(20.125), "a stop takes an eighth of a second"
    assert not state.running


def test_a_trial_that_the_budget_ends_is_interrupted_not_failed():
    _, state, _ = run_fake("RS", n_workers=2, budget=Budget(max_wallclock_time=5.0))
    assert set(statuses(state)) == {Status.INTERRUPTED}


@pytest.mark.parametrize("method", METHODS)
def test_an_exhausted_space_says_so(method):
    reason, state, _ = run_fake(method, space=TINY, budget=Budget())
    assert reason == "the search space is exhausted: all 6 configurations are tried"
    assert len(state.trials) == 6


def test_a_larger_budget_goes_on_with_a_complete_experiment():
    experiment = FakeExperiment("ASHA", budget=Budget(max_num_trials=4))
    experiment.run()
    experiment.budget = Budget(max_num_trials=9)
    reason, state, _ = experiment.run()
    assert reason == "max_num_trials=9 trials are done"
    assert len(state.trials) == 9
    assert state.sessions == 2


def test_elapsed_time_adds_up_over_sessions():
    experiment = FakeExperiment("RS", n_workers=1, budget=Budget(max_wallclock_time=10.0))
    experiment.run()
    experiment.clock.now += 1000.0
    experiment.budget = Budget(max_wallclock_time=15.0)
    reason, state, events = experiment.run()
    assert reason == "max_wallclock_time=15 s is over"
    assert state.elapsed == pytest.approx(15.125)
    assert [e.elapsed for e in events] == sorted(e.elapsed for e in events)


def test_nothing_starts_in_a_session_whose_budget_is_used_up():
    experiment = FakeExperiment("RS", budget=Budget(max_num_evaluations=3))
    experiment.run()
    before = len(of_kind(experiment.log.events, Kind.STARTED))
    tuner = experiment.session()
    assert tuner.run() == "max_num_evaluations=3 reports are in"
    assert tuner.backend.called("start") == []
    assert len(of_kind(experiment.log.events, Kind.STARTED)) == before


# ---------------------------------------------------------------------- places that come and go


def test_an_experiment_whose_places_have_yet_to_come_waits_for_them():
    reason, state, events = run_fake("ASHA", n_workers=2, backend={"places": [(100, 1), (110, 2)]})
    assert reason == "max_num_trials=12 trials are done"
    assert len(state.trials) == 12
    assert next(event.elapsed for event in events if event.kind == Kind.STARTED) == 0


def test_the_budget_of_time_stands_still_while_there_is_no_place():
    places = [(50, 1), (53, 0), (1053, 1)]
    experiment = FakeExperiment("RS", n_workers=1, budget=Budget(max_wallclock_time=10), backend={"places": places})
    reason, state, _ = experiment.run()
    assert reason == "max_wallclock_time=10 s is over"
    assert 10 <= state.elapsed < 11
    assert 1060 <= experiment.clock.now < 1061


def test_an_interruption_ends_a_session_that_waits_for_a_place():
    experiment = FakeExperiment("RS", backend={"places": [(1e6, 1)]})
    tuner = experiment.session()
    tuner.backend.at(5, tuner.interrupt)
    assert tuner.run() is None
    assert experiment.clock.now == 5


def test_places_that_have_yet_to_come_are_no_reason_for_a_warning(caplog):
    FakeExperiment("RS", n_workers=3, backend={"places": [(1, 3)]}).session()
    assert not caplog.records


# ---------------------------------------------------------------------- workers


@pytest.mark.parametrize("method", METHODS)
def test_all_workers_are_used_and_no_more(method):
    tuner = FakeExperiment(method, n_workers=3).session()
    tuner.run()
    assert tuner.backend.most_running == 3


def test_devices_limit_the_workers(caplog):
    tuner = FakeExperiment("ASHA", n_workers=4, backend={"capacity": 2}).session()
    tuner.run()
    assert tuner.backend.most_running == 2
    assert "n_workers=4" in caplog.text


def test_more_devices_than_workers_do_not_matter():
    tuner = FakeExperiment("ASHA", n_workers=2, backend={"capacity": 8}).session()
    tuner.run()
    assert tuner.backend.most_running == 2


def test_trial_ids_count_from_zero_in_the_order_of_starting():
    _, _, events = run_fake("HYPERBAND")
    assert [e.trial for e in of_kind(events, Kind.STARTED)] == list(range(12))


# ---------------------------------------------------------------------- decisions


@pytest.mark.parametrize("method", HALVING)
@pytest.mark.parametrize("honours_until", [True, False])
def test_a_decision_holds_whether_or_not_the_script_ends_by_itself(method, honours_until):
    options = {"n_workers": 1, "limits": {"ends_by_itself": honours_until}, "backend": {"honours_until": honours_until}}
    _, state, events = run_fake(method, **options)
    assert not of_kind(events, Kind.DROPPED)
    reference = run_fake(method, n_workers=1)[2]
    assert decisions(events) == decisions(reference)
    assert not state.running


def decisions(events):
    """The decision log: what was started, resumed and said to reports, without times and attempts."""
    found = []
    for event in events:
        if event.kind == Kind.STARTED:
            found.append(
                (event.kind, event.trial, None, tuple(event.body["configuration"].items()), event.body["until"])
            )
        elif event.kind == Kind.RESUMED:
            found.append((event.kind, event.trial, None, None, event.body["until"]))
        elif event.kind == Kind.REPORTED:
            found.append((event.kind, event.trial, event.resource, None, event.body["decision"]))
    return found


def test_a_script_that_ends_by_itself_gets_its_grace_and_another_one_none():
    tuner = FakeExperiment("ASHA", limits={"grace": 7.0}).session()
    tuner.run()
    assert {patience for _, patience in tuner.backend.called("stop")} == {7.0}
    deaf = FakeExperiment("ASHA", limits={"ends_by_itself": False}, backend={"honours_until": False}).session()
    deaf.run()
    assert {patience for _, patience in deaf.backend.called("stop")} == {0.0}


def test_a_stopped_trial_is_stopped_at_once():
    tuner = FakeExperiment("ASHA-STOP").session()
    tuner.run()
    stopped = {t.trial.id for t in tuner.state.trials.values() if t.status == Status.STOPPED}
    assert stopped
    assert all(patience == 0.0 for trial_id, patience in tuner.backend.called("stop") if trial_id in stopped)


def test_a_promoted_trial_goes_on_from_its_checkpoint():
    tuner = FakeExperiment("ASHA", n_workers=2).session()
    tuner.run()
    for trial in tuner.state.trials.values():
        told = [
            line.metrics["epoch"]
            for key, lines in sorted(tuner.backend.disk.lines.items())
            for line in lines
            if key[0] == trial.trial.id
        ]
        assert told == list(range(1, trial.resource + 1))


def test_a_trial_at_the_maximum_is_complete():
    _, state, _ = run_fake("ASHA")
    complete = [t for t in state.trials.values() if t.resource == 9]
    assert complete
    assert all(t.status == Status.COMPLETED for t in complete)


def test_late_reports_are_stored_as_dropped_and_decide_nothing():
    _, state, events = run_fake("ASHA-STOP", backend={"late_reports": 2, "stop_delay": 0.5})
    dropped = of_kind(events, Kind.DROPPED)
    stopped = {t.trial.id for t in state.trials.values() if t.status == Status.STOPPED}
    assert Counter(e.trial for e in dropped) == {trial_id: 2 for trial_id in stopped}
    assert all("decision" not in e.body for e in dropped)
    for trial_id in stopped:
        own = [e.kind for e in events if e.trial == trial_id]
        assert own[-4:] == [Kind.REPORTED, Kind.DROPPED, Kind.DROPPED, Kind.ENDED]
        assert state.trials[trial_id].resource == max(
            e.resource for e in of_kind(events, Kind.REPORTED) if e.trial == trial_id
        )
    assert state.reports == len(of_kind(events, Kind.REPORTED))


def test_a_promotion_works_while_the_earlier_attempt_is_still_on_its_way_out():
    experiment = FakeExperiment("ASHA", n_workers=2, backend={"exit_delay": 50.0}, limits={"grace": 1000.0})
    reason, state, events = experiment.run()
    assert reason == "max_num_trials=12 trials are done"
    early = [
        i
        for i, event in enumerate(events)
        if event.kind == Kind.RESUMED and [e.kind for e in events[:i] if e.trial == event.trial][-1] == Kind.REPORTED
    ]
    assert early, "no trial was promoted before its attempt was over"
    for i in early:
        after = [e for e in events[i + 1 :] if e.trial == events[i].trial]
        assert after[0].kind == Kind.ENDED
        assert after[0].body["status"] == Status.PAUSED
        assert after[0].attempt == events[i].attempt - 1
        assert after[1].attempt == events[i].attempt
    assert not state.running


def test_a_budget_that_ends_while_a_promoted_trial_is_on_its_way_out_starts_nothing():
    experiment = FakeExperiment(
        "ASHA",
        n_workers=2,
        budget=Budget(max_wallclock_time=30.0),
        backend={"exit_delay": 50.0},
        limits={"grace": 1000.0},
    )
    tuner = experiment.session()
    assert tuner.run() == "max_wallclock_time=30 s is over"
    assert not tuner.state.running
    assert not tuner.backend.runs
    experiment.budget = Budget(max_num_trials=6)
    reason, state, _ = experiment.run()
    assert reason == "max_num_trials=6 trials are done"
    assert Status.INTERRUPTED not in statuses(state)


# ---------------------------------------------------------------------- reports


def test_a_repeated_resource_is_dropped():
    faults = {
        0: [Say({"error": 0.7, "epoch": 1}), Say({"error": 0.1, "epoch": 1}), Say({"error": 0.2, "epoch": 1}, at=2)]
    }
    _, state, events = two_configurations(backend={"faults": faults}).run()
    own = [(e.resource, e.body["metrics"]["error"]) for e in of_kind(events, Kind.REPORTED) if e.trial == 0]
    assert own[0] == (1, 0.7)
    assert [resource for resource, _ in own] == [1, 3]
    assert state.trials[0].status == Status.COMPLETED
    assert state.incumbent.loss not in (0.1, 0.2)


def test_reports_without_a_resource_are_counted():
    experiment = two_configurations(objective=Objective("error", "min", None))
    _, _, events = experiment.run()
    assert [e.resource for e in of_kind(events, Kind.REPORTED) if e.trial == 0] == [1, 2, 3]


def test_a_counted_report_that_an_earlier_session_did_not_take_in_gets_the_next_number():
    options = {"objective": Objective("error", "min", None), "n_workers": 1, "budget": Budget(max_num_trials=1)}
    experiment = two_configurations(log=FailingLog(3), **options)
    with pytest.raises(StoreError):
        experiment.run()
    assert [e.resource for e in of_kind(experiment.log.events, Kind.REPORTED)] == [1, 2]
    _, state, events = experiment.run()
    assert [e.resource for e in of_kind(events, Kind.REPORTED)] == [1, 2, 3]
    assert not of_kind(events, Kind.RESTARTED), "it had written its last report, so that nothing is left to do"
    assert state.trials[0].status == Status.COMPLETED


def test_a_trial_whose_reports_are_counted_starts_over_for_nobody_could_tell_which_are_new():
    experiment = two_configurations(objective=Objective("error", "min", None), n_workers=1)
    tuner = experiment.session()
    tuner.backend.at(2.5, tuner.interrupt)
    tuner.run()
    assert [e.resource for e in of_kind(experiment.log.events, Kind.REPORTED)] == [1, 2]
    _, state, events = experiment.run()
    own = [(e.resource, e.attempt) for e in of_kind(events, Kind.REPORTED) if e.trial == 0]
    assert own == [(1, 0), (2, 0), (3, 1)]
    assert state.trials[0].status == Status.COMPLETED


def test_an_interruption_says_what_trials_have_left(caplog):
    experiment = FakeExperiment("RS", n_workers=3, limits={"grace": 12.0})
    tuner = experiment.session()
    tuner.backend.at(2.0, tuner.interrupt)
    tuner.run()
    assert caplog.text.count("3 trial(s) have up to 12 s to save and end; a second signal ends them at once") == 1


def test_a_metric_is_turned_in_max_mode():
    values = {1: 0.5, 2: 0.9, 3: 0.7}
    experiment = two_configurations(
        objective=Objective("error", "max", "epoch"), backend={"evaluate": lambda _, resource: values[resource]}
    )
    _, state, _ = experiment.run()
    assert state.incumbent.loss == -0.9
    assert (state.incumbent.trial_id, state.incumbent.resource) == (0, 2)


def test_nan_is_stored_and_never_the_best():
    _, state, events = two_configurations(
        backend={"evaluate": lambda _, resource: math.nan if resource != 2 else 5.0}
    ).run()
    assert all(math.isnan(e.body["metrics"]["error"]) for e in of_kind(events, Kind.REPORTED) if e.resource != 2)
    assert state.incumbent.loss == 5.0
    _, state, _ = two_configurations(backend={"evaluate": lambda *_: math.nan}).run()
    assert state.incumbent is None
    assert statuses(state) == {Status.COMPLETED: 2}


@pytest.mark.parametrize("method", METHODS)
def test_an_experiment_of_nothing_but_divergence_ends(method):
    reason, state, _ = run_fake(method, backend={"evaluate": lambda *_: {"error": math.inf, "speed": 1.0}})
    assert reason == "max_num_trials=12 trials are done"
    assert state.incumbent is None


def test_a_line_that_is_no_report_is_noted_and_the_trial_goes_on():
    _, state, events = two_configurations(backend={"faults": {0: [Garble(2, "Epoch 2/3 <100%>")]}}).run()
    (note,) = of_kind(events, Kind.NOTED)
    assert "Epoch 2/3 <100%>" in note.body["text"]
    assert note.trial == 0
    assert state.trials[0].status == Status.COMPLETED


def test_a_wrong_metric_at_the_first_report_ends_the_experiment_with_the_nearest_name():
    experiment = two_configurations(objective=Objective("eror", "min", "epoch"))
    with pytest.raises(ExperimentError, match=r"benchmark\.metric=eror.*did you mean 'error'\?"):
        experiment.run()
    assert not of_kind(experiment.log.events, Kind.REPORTED)
    assert not of_kind(experiment.log.events, Kind.FINISHED)


def test_a_wrong_resource_at_the_first_report_ends_the_experiment_with_the_nearest_name():
    with pytest.raises(ExperimentError, match=r"benchmark\.resource_attr=epochs.*did you mean 'epoch'\?"):
        two_configurations(objective=Objective("error", "min", "epochs")).run()


@pytest.mark.parametrize("metrics", [{"epoch": 2}, {"error": "high", "epoch": 2}, {"error": 0.1, "epoch": 2.5}, {}])
def test_an_unusable_report_later_fails_that_trial_alone(metrics):
    _, state, events = two_configurations(backend={"faults": {0: [Say(metrics, at=2)]}}).run()
    assert state.trials[0].status == Status.FAILED
    assert state.trials[1].status == Status.COMPLETED
    (ended,) = [e for e in of_kind(events, Kind.ENDED) if e.trial == 0]
    assert "benchmark." in ended.body["error"]


@pytest.mark.parametrize("method", METHODS)
def test_a_good_report_after_an_unusable_one_does_not_save_the_trial(method):
    faults = {3: [Say({"error": "high", "epoch": 1}), Say({"error": 0.0, "epoch": 1}), Say({"error": 0.0, "epoch": 2})]}
    _, state, _ = run_fake(method, n_workers=1, backend={"faults": faults})
    assert state.trials[3].status == Status.FAILED
    assert state.incumbent.trial_id != 3


# ---------------------------------------------------------------------- failures


@pytest.mark.parametrize("method", METHODS)
def test_a_failing_trial_does_not_end_the_experiment(method):
    reason, state, events = run_fake(method, n_workers=2, backend={"faults": {1: [Crash(1)], 4: [Crash(1, None, 11)]}})
    assert reason == "max_num_trials=12 trials are done"
    assert statuses(state)[Status.FAILED] == 2
    errors = {e.trial: e.body["error"] for e in of_kind(events, Kind.ENDED) if e.body["status"] == Status.FAILED}
    assert "exit code 1" in errors[1]
    assert "ValueError: bad luck" in errors[1]
    assert "signal 11" in errors[4]


def test_a_failed_trial_is_not_resumed():
    faults = {0: [Crash(2)], 1: [Crash(2)], 2: [Crash(2)]}
    _, state, events = run_fake("ASHA", backend={"faults": faults})
    for trial_id in [t.trial.id for t in state.trials.values() if t.status == Status.FAILED]:
        assert [e.kind for e in events if e.trial == trial_id][-1] == Kind.ENDED


def test_a_trial_without_a_report_has_failed():
    silent = {0: [Crash(1, exit_code=0, error=None)]}
    _, state, events = two_configurations(backend={"faults": silent}).run()
    assert state.trials[0].status == Status.FAILED
    (ended,) = [e for e in of_kind(events, Kind.ENDED) if e.trial == 0]
    assert "without a report" in ended.body["error"]


def test_a_script_that_ends_well_before_the_maximum_is_complete():
    early = {0: [Crash(2, exit_code=0, error=None)]}
    _, state, _ = two_configurations(backend={"faults": early}).run()
    assert (state.trials[0].status, state.trials[0].resource) == (Status.COMPLETED, 1)


def test_three_failures_in_a_row_without_a_report_end_the_experiment():
    faults = {i: [Crash(1, error=f"error of trial {i}")] for i in range(20)}
    experiment = FakeExperiment("RS", n_workers=1, backend={"faults": faults})
    with pytest.raises(ExperimentError, match=r"(?s)max_failures=3.*error of trial 0"):
        experiment.run()
    assert len(of_kind(experiment.log.events, Kind.STARTED)) == 3
    assert not of_kind(experiment.log.events, Kind.FINISHED)


def test_a_report_in_between_starts_the_count_again():
    faults = {i: [Crash(1, error=f"error of trial {i}")] for i in range(20) if i != 2}
    experiment = FakeExperiment("RS", n_workers=1, backend={"faults": faults})
    with pytest.raises(ExperimentError, match=r"(?s)max_failures=3.*error of trial 3"):
        experiment.run()
    assert len(of_kind(experiment.log.events, Kind.STARTED)) == 6


def test_trials_that_fail_after_a_report_do_not_count():
    faults = {i: [Crash(2)] for i in range(20)}
    reason, state, _ = run_fake("RS", n_workers=1, backend={"faults": faults})
    assert reason == "max_num_trials=12 trials are done"
    assert statuses(state) == {Status.FAILED: 12}


def test_an_experiment_that_failed_can_be_gone_on_with():
    faults = {i: [Crash(1)] for i in range(3)}
    experiment = FakeExperiment("RS", n_workers=1, backend={"faults": faults})
    with pytest.raises(ExperimentError):
        experiment.run()
    reason, state, _ = experiment.run()
    assert reason == "max_num_trials=12 trials are done"
    assert statuses(state) == {Status.FAILED: 3, Status.COMPLETED: 9}


def test_the_other_trials_get_their_end_when_the_experiment_fails():
    faults = {i: [Crash(1)] for i in range(1, 20)}
    experiment = FakeExperiment(
        "RS",
        n_workers=2,
        backend={"faults": faults, "seconds": lambda trial_id, _: 100.0 / (1 + 99 * (trial_id > 0))},
    )
    with pytest.raises(ExperimentError, match="max_failures=3"):
        experiment.run()
    ended = {e.trial: e.body["status"] for e in of_kind(experiment.log.events, Kind.ENDED)}
    assert ended[0] == Status.INTERRUPTED


def test_a_trial_that_takes_too_long_times_out():
    experiment = two_configurations(limits={"trial_timeout": 4.0})
    _, state, events = experiment.run()
    assert state.trials[0].status == Status.COMPLETED
    assert state.trials[1].status == Status.TIMEOUT
    (ended,) = [e for e in of_kind(events, Kind.ENDED) if e.trial == 1]
    assert ended.body["error"] == "trial_timeout=4 s is over"
    assert ended.elapsed == pytest.approx(4.125)


def test_a_trial_that_falls_silent_times_out():
    experiment = two_configurations(limits={"trial_silence_timeout": 3.0}, backend={"faults": {0: [Hang(3)]}})
    _, state, events = experiment.run()
    assert state.trials[0].status == Status.TIMEOUT
    assert state.trials[1].status == Status.COMPLETED
    (ended,) = [e for e in of_kind(events, Kind.ENDED) if e.trial == 0]
    assert ended.body["error"] == "trial_silence_timeout=3 s is over"
    assert ended.elapsed == pytest.approx(2.0 + 3.0 + 0.125)


def test_a_time_limit_counts_for_each_attempt():
    # Two epochs take at most 2 x 2.875 s, six epochs at most 17.25 s; all nine of them may take longer than the limit.
    _, state, _ = run_fake("ASHA", limits={"trial_timeout": 17.5})
    assert Status.TIMEOUT not in statuses(state)


def test_reports_after_a_time_limit_are_dropped():
    experiment = two_configurations(limits={"trial_timeout": 4.5}, backend={"late_reports": 1})
    _, state, events = experiment.run()
    assert state.trials[1].status == Status.TIMEOUT
    assert [e.trial for e in of_kind(events, Kind.DROPPED)] == [1]
    assert [e.resource for e in of_kind(events, Kind.REPORTED) if e.trial == 1] == [1, 2]


@pytest.mark.parametrize("method", METHODS)
def test_a_lost_host_starts_its_attempts_again(method):
    reason, state, events = run_fake(method, backend={"faults": {0: [Lose(1)], 2: [Lose(1)]}})
    assert reason == "max_num_trials=12 trials are done"
    for trial_id in (0, 2):
        own = [e for e in events if e.trial == trial_id]
        assert [e.kind for e in own[:3]] == [Kind.STARTED, Kind.ENDED, Kind.RESTARTED]
        assert own[1].body["status"] == Status.INTERRUPTED
        assert own[2].attempt == 1
        assert own[2].body["until"] == own[0].body["until"]
    assert not {Status.INTERRUPTED, Status.FAILED} & set(statuses(state))


def test_a_host_that_is_lost_again_and_again_ends_the_experiment():
    experiment = two_configurations(backend={"faults": {0: [Lose(1, attempt=None)], 1: [Lose(1, attempt=None)]}})
    with pytest.raises(ExperimentError, match="lost"):
        experiment.run()


def test_a_host_that_is_lost_once_with_many_trials_is_no_reason_to_end():
    backend = {"faults": {trial_id: [Lose(1)] for trial_id in range(12)}}
    reason, state, _ = run_fake("RS", n_workers=12, backend=backend)
    assert reason == "max_num_trials=12 trials are done"
    assert statuses(state) == {Status.COMPLETED: 12}


def test_the_time_limits_of_a_trial_that_waits_for_a_device_do_not_run_yet():
    for held, status in ((0.0, Status.TIMEOUT), (3.5, Status.COMPLETED)):
        tuner = two_configurations(limits={"trial_timeout": 4.0}).session()  # trial 1 takes 6 s
        clock = tuner.backend.clock
        tuner.backend.holds = lambda trial_id, held=held, clock=clock: trial_id == 1 and clock.now < held
        tuner.run()
        assert tuner.state.trials[1].status == status


# ---------------------------------------------------------------------- interruptions


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("when", [0.0, 3.25, 11.0])
def test_an_interrupted_experiment_goes_on(method, when):
    experiment = FakeExperiment(method, n_workers=3)
    tuner = experiment.session()
    tuner.backend.at(when, tuner.interrupt)
    assert tuner.run() is None
    assert not tuner.state.running
    assert statuses(tuner.state)[Status.INTERRUPTED] > 0
    assert not of_kind(experiment.log.events, Kind.FINISHED)
    reason, state, events = experiment.run()
    assert reason == "max_num_trials=12 trials are done"
    assert Status.INTERRUPTED not in statuses(state)
    assert len(state.trials) == 12
    resources = [(e.trial, e.resource) for e in of_kind(events, Kind.REPORTED)]
    assert len(set(resources)) == len(resources)


def test_the_first_interruption_stops_trials_and_the_second_kills_them():
    experiment = FakeExperiment("RS", n_workers=3, backend={"stop_delay": 100.0})
    tuner = experiment.session()
    tuner.backend.at(2.0, tuner.interrupt)
    tuner.backend.at(5.0, tuner.interrupt)
    assert tuner.run() is None
    assert len(tuner.backend.called("stop")) == 3
    assert tuner.backend.called("kill")
    assert experiment.clock.now == 5.0


@pytest.mark.parametrize("limit", ["trial_timeout", "trial_silence_timeout"])
def test_a_trial_that_saves_in_its_grace_is_interrupted_also_where_a_time_limit_ends_meanwhile(limit):
    experiment = FakeExperiment("RS", n_workers=3, limits={limit: 3.0}, backend={"stop_delay": 10.0})
    tuner = experiment.session()
    tuner.backend.at(1.0, tuner.interrupt)
    assert tuner.run() is None
    assert statuses(tuner.state) == {Status.INTERRUPTED: 3}
    assert len(tuner.backend.called("stop")) == 3


def test_interrupted_trials_go_on_before_new_ones_start():
    experiment = FakeExperiment("RS", n_workers=3)
    tuner = experiment.session()
    tuner.backend.at(4.0, tuner.interrupt)
    tuner.run()
    tuner = experiment.session()
    tuner.run()
    assert [(i, attempt) for i, attempt, _ in tuner.backend.called("start")[:3]] == [(0, 1), (1, 1), (2, 1)]


def test_an_interrupted_trial_waits_where_there_are_fewer_devices_than_before():
    experiment = FakeExperiment("RS", n_workers=3)
    tuner = experiment.session()
    tuner.backend.at(4.0, tuner.interrupt)
    tuner.run()
    experiment.backend = {"capacity": 1}
    reason, state, _ = experiment.run()
    assert reason == "max_num_trials=12 trials are done"
    assert statuses(state) == {Status.COMPLETED: 12}


def test_an_interruption_before_anything_runs_ends_the_session():
    experiment = FakeExperiment("RS")
    tuner = experiment.session()
    tuner.interrupt()
    assert tuner.run() is None
    assert not tuner.state.running
    assert len(experiment.run()[1].trials) == 12


def test_a_trial_that_completes_in_its_grace_is_complete():
    experiment = two_configurations(n_workers=1, backend={"exit_delay": 5.0})
    tuner = experiment.session()
    tuner.backend.at(4.0, tuner.interrupt)
    tuner.run()
    assert tuner.state.trials[0].status == Status.COMPLETED


# ---------------------------------------------------------------------- checkpoints


def test_checkpoints_are_kept_unless_told_otherwise():
    tuner = FakeExperiment("ASHA").session()
    tuner.run()
    assert tuner.backend.called("forget") == []


def test_the_checkpoint_of_a_trial_is_forgotten_as_soon_as_no_decision_can_need_it():
    faults = {2: [Crash(1)], 3: [Hang(1)]}
    options = {"delete_checkpoints": True, "trial_timeout": 60.0}
    experiment = FakeExperiment("ASHA", limits=options, backend={"faults": faults})
    tuner = experiment.session()
    seen = {}

    class Watch(Callback):
        def on_event(self, event):
            forgotten = {trial_id for (trial_id,) in tuner.backend.called("forget")}
            if event.kind == Kind.ENDED:
                seen[event.trial] = event.body["status"], event.trial in forgotten
            if event.kind != Kind.FINISHED and not tuner.state.finished:
                over = {t.trial.id for t in tuner.state.trials.values() if t.status in END}
                assert forgotten == over

    END = {Status.COMPLETED, Status.FAILED, Status.TIMEOUT, Status.STOPPED}
    tuner.journal.callbacks = [Watch()]
    tuner.run()
    assert {Status.COMPLETED, Status.FAILED, Status.TIMEOUT, Status.PAUSED} <= {status for status, _ in seen.values()}
    assert all(forgotten == (status in END) for status, forgotten in seen.values())
    assert sorted(tuner.backend.called("forget")) == [(i,) for i in range(12)], "each once; the paused ones at the end"


def test_an_interrupted_trial_keeps_its_checkpoint():
    experiment = FakeExperiment("RS", limits={"delete_checkpoints": True}, budget=Budget(max_wallclock_time=5.0))
    tuner = experiment.session()
    tuner.run()
    assert statuses(tuner.state) == {Status.INTERRUPTED: 4}
    assert tuner.backend.called("forget") == []


# ---------------------------------------------------------------------- what is stored first


@pytest.mark.parametrize("method", ["RS", "ASHA", "ASHA-STOP"])
@pytest.mark.parametrize("at", [0, 1, 3, 8, 15])
def test_nothing_is_done_that_could_not_be_stored(method, at):
    experiment = FakeExperiment(method, log=FailingLog(at))
    tuner = experiment.session()
    told = []

    append = experiment.log.append

    def watching(events):
        told.append((len(experiment.log.events), len(tuner.backend.calls)))
        append(events)

    experiment.log.append = watching
    with pytest.raises(StoreError, match="the disk is full"):
        tuner.run()
    assert told[-1] == (len(experiment.log.events), len(tuner.backend.calls)), "told after the commit that failed"
    started = {(e.trial, e.attempt) for e in experiment.log.events if e.kind in (Kind.STARTED, Kind.RESUMED)}
    assert {(i, attempt) for i, attempt, _ in tuner.backend.called("start")} <= started


def test_every_action_follows_its_event():
    experiment = FakeExperiment("ASHA", n_workers=2)
    tuner = experiment.session()
    start = tuner.backend.start

    def checked(trial, attempt, until):
        last = [e for e in experiment.log.events if e.trial == trial.id and e.kind in (Kind.STARTED, Kind.RESUMED)][-1]
        assert (last.attempt, last.body["until"]) == (attempt, until)
        start(trial, attempt, until)

    tuner.backend.start = checked
    assert tuner.run() is not None


# ---------------------------------------------------------------------- callbacks


class Witness(Callback):
    def __init__(self):
        self.opened, self.seen, self.closed, self.waits = 0, [], 0, 0

    def on_open(self, state):
        self.opened += 1
        self.state = state

    def on_event(self, event):
        self.seen.append(event)

    def extra_results(self, trial, metrics):
        return {"double": 2 * metrics["error"], "of": trial.id}

    def on_idle(self):
        self.waits += 1

    def on_close(self):
        self.closed += 1


def test_callbacks_see_every_event_in_order():
    witness = Witness()
    _, state, events = run_fake("ASHA", callbacks=[witness])
    assert [(e.kind, e.trial, e.resource) for e in witness.seen] == [(e.kind, e.trial, e.resource) for e in events]
    assert (witness.opened, witness.closed) == (1, 1)
    assert witness.waits > 0
    assert witness.state is state


def test_extra_results_are_stored_with_the_report():
    _, _, events = run_fake("RS", callbacks=[Witness()])
    for event in of_kind(events, Kind.REPORTED):
        assert event.body["extra"] == {"double": 2 * event.body["metrics"]["error"], "of": event.trial}


class Broken(Callback):
    def _fail(self, *arguments):
        raise RuntimeError("a user's mistake")

    on_open = on_event = extra_results = on_idle = on_close = _fail


def test_errors_of_callbacks_are_logged_once_and_change_nothing(caplog):
    witness = Witness()
    _, _, events = run_fake("ASHA", callbacks=[Broken(), witness])
    assert decisions(events) == decisions(run_fake("ASHA")[2])
    assert len(witness.seen) == len(events)
    assert [r.levelno for r in caplog.records if "Broken" in r.message] == [logging.ERROR]
    assert "a user's mistake" in caplog.text


class Nonsense(Callback):
    def extra_results(self, trial, metrics):
        return [1, 2, 3]

    def on_idle(self):
        return "soon"


def test_nonsense_that_a_callback_returns_does_not_end_the_experiment():
    reason, _, _ = run_fake("RS", callbacks=[Nonsense()])
    assert reason == "max_num_trials=12 trials are done"


class Unstorable(Callback):
    def extra_results(self, trial, metrics):
        return {"model": object()}


def test_results_of_a_callback_that_cannot_be_stored_do_not_end_the_experiment():
    reason, _, _ = run_fake("RS", callbacks=[Unstorable()])
    assert reason == "max_num_trials=12 trials are done"


def test_callbacks_are_closed_when_the_experiment_fails():
    witness = Witness()
    with pytest.raises(StoreError):
        run_fake("RS", callbacks=[witness], log=FailingLog(2))
    assert witness.closed == 1


def test_a_callback_is_called_again_when_it_wishes():
    calls = []

    class Ticker(Callback):
        def on_idle(self):
            calls.append(experiment.clock.now)
            return 0.5

    experiment = two_configurations(callbacks=[Ticker()])
    experiment.run()
    assert max(b - a for a, b in itertools.pairwise(calls)) <= 0.5


def test_decisions_are_never_a_matter_of_the_wall_clock():
    first = FakeExperiment("HYPERBAND")
    second = FakeExperiment("HYPERBAND")
    second.clock.now = 123456.0
    assert decisions(first.run()[2]) == decisions(second.run()[2])


def test_decision_strings_are_those_of_the_enumeration():
    _, _, events = run_fake("HYPERBAND")
    found = {e.body["decision"] for e in of_kind(events, Kind.REPORTED)}
    assert found == {Decision.CONTINUE, Decision.PAUSE, Decision.STOP}
