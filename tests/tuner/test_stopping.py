"""Budgets."""

import pytest

from hpo.events.incumbent import Incumbent
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.trial_state import TrialState
from hpo.events.types import Trial
from hpo.tuner.stopping import Budget, Failures
from hpo.tuner.trial_limits import MOST_LOSSES, Limits
from tests.support.fakes import OBJECTIVE


def state_with(reports=0, trials=0):
    known = {i: TrialState(Trial(i, {}), None) for i in range(trials)}
    return ExperimentState(Objective("error", "min", None), trials=known, reports=reports)


def test_without_limits_nothing_is_ever_spent():
    budget = Budget()
    assert budget.spent(state_with(10**9, 100), 1e12) is None
    assert budget.allows_new_trial(state_with(trials=100))
    assert budget.time_left(state_with(), 5.0) is None


@pytest.mark.parametrize(("elapsed", "spent"), [(0.0, False), (9.999, False), (10.0, True), (11.0, True)])
def test_time_is_spent_when_it_is_reached(elapsed, spent):
    reason = Budget(max_wallclock_time=10.0).spent(state_with(), elapsed)
    assert reason == ("max_wallclock_time=10 s is over" if spent else None)


@pytest.mark.parametrize(("reports", "spent"), [(0, False), (4, False), (5, True), (6, True)])
def test_evaluations_are_spent_when_they_are_reached(reports, spent):
    reason = Budget(max_num_evaluations=5).spent(state_with(reports), 0.0)
    assert reason == ("max_num_evaluations=5 reports are in" if spent else None)


@pytest.mark.parametrize(
    ("mode", "best", "reached"),
    [
        ("min", 0.31, False),
        ("min", 0.3, True),
        ("min", 0.1, True),
        ("max", 0.29, False),
        ("max", 0.3, True),
        ("max", 0.9, True),
    ],
)
def test_a_target_is_reached_by_a_result_as_good_or_better(mode, best, reached):
    objective = Objective("score", mode, None)
    state = ExperimentState(objective, incumbent=Incumbent(objective.loss({"score": best}), 0, 1, 2.0))
    reason = Budget(target_value=0.3).spent(state, 0.0)
    assert reason == (f"target_value=0.3 is reached: score {best:g}" if reached else None)


def test_without_a_result_no_target_is_reached():
    assert Budget(target_value=1e9).spent(state_with(), 0.0) is None


@pytest.mark.parametrize(("trials", "allowed"), [(0, True), (2, True), (3, False), (4, False)])
def test_a_number_of_trials_limits_starts_and_stops_nothing(trials, allowed):
    budget = Budget(max_num_trials=3)
    assert budget.allows_new_trial(state_with(trials=trials)) is allowed
    assert budget.spent(state_with(trials=trials), 1e9) is None


@pytest.mark.parametrize(("elapsed", "left"), [(0.0, 10.0), (7.5, 2.5), (10.0, 0.0), (12.0, 0.0)])
def test_the_time_left_is_never_negative(elapsed, left):
    assert Budget(max_wallclock_time=10.0).time_left(state_with(), elapsed) == left


@pytest.mark.parametrize(("cost", "spent"), [(0.0, False), (9.5, False), (10.0, True), (12.5, True)])
def test_cost_is_spent_when_all_trials_together_reach_it(cost, spent):
    state = ExperimentState(Objective("error", "min", None, cost_attr="dollars"))
    state.spending.add(0, cost / 2)
    state.spending.add(1, cost / 2)
    reason = Budget(max_cost=10.0).spent(state, 0.0)
    assert reason == (f"max_cost=10 is spent: dollars adds up to {cost:g}" if spent else None)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("backend.storage=s3://b: nobody answers", "; the last: backend.storage=s3://b: nobody answers; see hpo.log"),
        (None, " without a report; see hpo.log"),
    ],
)
def test_what_ends_an_experiment_after_losses_in_a_row_names_the_cause_of_the_last(why, said):
    failures = Failures(ExperimentState(OBJECTIVE), Limits(n_workers=2))
    for _ in range(2 * MOST_LOSSES):
        assert failures.on_loss(why) is None
    message = failures.on_loss(why)
    assert message.startswith(f"trials were lost or terminated from outside {2 * MOST_LOSSES + 1} times in a row")
    assert message.endswith(said)


def holding(devices_since):
    """A state in which a trial has run since each of these times."""
    state = state_with(trials=len(devices_since))
    for trial, since in zip(state.trials.values(), devices_since, strict=True):
        trial.began = since
        state.running[trial.trial.id] = trial
    return state


def test_device_hours_are_spent_when_the_devices_of_all_trials_have_been_held_so_long():
    budget = Budget(max_device_hours=2.0, devices_per_trial=4)  # 7,200 device seconds, 1,800 of a trial
    state = holding([0.0, 600.0])
    assert budget.spent(state, 1199.0) is None
    assert budget.time_left(state, 1000.0) == pytest.approx(200.0)  # 1,400 s of trials, and two run
    assert budget.spent(state, 1200.0) == "max_device_hours=2 are used up"


def test_a_price_is_spent_at_the_price_of_a_device():
    budget = Budget(max_price=3.0, device_price=6.0)  # half an hour
    state = holding([100.0])
    assert budget.spent(state, 1899.0) is None
    assert budget.time_left(state, 1000.0) == pytest.approx(900.0)
    assert budget.spent(state, 1900.0) == "max_price=3 is spent on 0.5 device hours"


def test_no_time_runs_out_while_nothing_holds_a_device():
    assert Budget(max_device_hours=1.0).time_left(state_with(), 50.0) is None
