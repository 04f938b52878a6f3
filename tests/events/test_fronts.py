"""The front that is kept from report to report is the one that all reports together have."""

import math

from hypothesis import given
from hypothesis import strategies as st

from hpo.events.fronts import FrontPoint, extend_front
from hpo.events.objective import Aim, Objective
from hpo.events.outcome import Constraint
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Kind

REPORTS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 4), st.tuples(*[st.integers(0, 4).map(float)] * 3)), max_size=30
)


def dominated(one, other):
    return all(b <= a for a, b in zip(one, other, strict=True)) and one != other


@given(REPORTS, st.randoms(use_true_random=False))
def test_any_order_of_the_reports_gives_those_that_no_other_dominates_and_of_equal_ones_the_first_trial(
    reports, chance
):
    chance.shuffle(reports)
    front = ()
    for trial, resource, losses in reports:
        front = extend_front(front, FrontPoint(losses, trial, resource, 0.0))
    best = [losses for _, _, losses in reports if not any(dominated(losses, other) for _, _, other in reports)]
    first = {losses: min((t, r) for t, r, other in reports if other == losses) for losses in best}
    assert [(point.losses, (point.trial_id, point.resource)) for point in front] == sorted(first.items())


def state_after(reports, **options):
    """A state that has taken in reports of (accuracy, latency), each of a trial of its own, at resource 1."""
    aims = Aim("accuracy", "max"), Aim("latency", "min")
    state = ExperimentState(Objective("accuracy", "max", "epoch", aims=aims, **options))
    for trial, (accuracy, latency) in enumerate(reports):
        metrics = {"accuracy": accuracy, "latency": latency, "epoch": 1}
        body = {"metrics": metrics, "decision": "CONTINUE", "position": 0}
        state.apply(Event(Kind.STARTED, 0.0, 0.0, trial, 0, None, {"configuration": {}, "until": 1}))
        state.apply(Event(Kind.REPORTED, float(trial), 0.0, trial, 0, 1, body))
    return state


def test_the_state_has_the_front_sorted_by_the_first_objective_whose_best_is_the_incumbent():
    state = state_after([(0.8, 5.0), (0.9, 9.0), (0.7, 6.0), (0.9, 8.0), (0.6, 1.0)])
    assert [point.trial_id for point in state.front] == [3, 0, 4]
    assert state.incumbent.trial_id == 3
    assert state.objective.values(state.front[0].losses) == {"accuracy": 0.9, "latency": 8.0}
    assert state.best_trials == [0, 3, 4]


def test_what_is_not_finite_in_any_objective_is_never_on_the_front():
    state = state_after([(0.99, math.nan), (math.inf, 1.0), (0.5, -math.inf)])
    assert state.front == ()
    assert state.incumbent is None
    assert not state.answered
    assert state.trials[0].losses == (-0.99, math.inf)
    assert state_after([(0.99, math.nan), (0.1, 3.0)]).best_trials == [1]


def test_what_breaks_a_constraint_is_never_on_the_front_and_the_closest_is_known_until_something_meets_it():
    bound = (Constraint("latency", 4.0),)
    state = state_after([(0.9, 9.0), (0.8, 5.0)], constraints=bound)
    assert state.front == ()
    assert state.answered
    assert state.closest == (1, (5.0,))
    met = state_after([(0.9, 9.0), (0.1, 4.0)], constraints=bound)
    assert met.best_trials == [1]
    assert met.closest is None
