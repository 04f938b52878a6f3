"""What a unit of resource costs: told by the event clock, predicted by ridge regression."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from hpo.randomness import Randomness
from hpo.searchers import GaussianProcessSearcher
from hpo.space.search_space import parse_space
from hpo.surrogate.cost import CHEAPEST, LEAST, RIDGE, EventClock, ReportedCosts, UnsmoothedCosts, predict_log_cost


def log_cost(ticks, reports):
    return math.log((ticks + 0.5) / reports)


def test_of_two_trials_side_by_side_the_one_that_reports_half_as_often_costs_twice_as_much_per_unit():
    clock = EventClock()
    clock.begin(0)
    clock.begin(1)
    for trial in (0, 1, 0, 0, 1, 0, 0, 1, 0):
        clock.tick(trial)
    trials, costs = clock.log_costs()
    assert trials == [0, 1]
    assert costs == pytest.approx([log_cost(9, 6), log_cost(8, 3)])


def test_a_pause_costs_nothing():
    clock = EventClock()
    clock.begin(0)
    clock.tick(0)
    clock.begin(1)
    for _ in range(10):
        clock.tick(1)
    clock.begin(0)
    clock.tick(0)
    assert clock.log_costs()[1].tolist() == [log_cost(2, 2), log_cost(10, 10)]


def test_a_trial_that_has_not_reported_has_no_cost():
    clock = EventClock()
    clock.begin(3)
    trials, costs = clock.log_costs()
    assert (trials, costs.shape) == ([], (0,))


def test_trials_are_listed_by_number_and_not_by_their_first_report():
    clock = EventClock()
    for trial in (2, 1):
        clock.begin(trial)
    for trial in (2, 1, 1):
        clock.tick(trial)
    assert clock.log_costs()[0] == [1, 2]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=60))
def test_costs_are_the_ticks_between_a_trials_reports_whatever_the_order_of_events(events):
    clock, log = EventClock(), []
    running = set()
    for begins, trial in events:
        if begins:
            clock.begin(trial)
            running.add(trial)
            log.append(("begin", trial))
        elif trial in running:
            clock.tick(trial)
            log.append(("tick", trial))
    expected = {}
    for place, (what, trial) in enumerate(log):
        if what == "tick":
            before = max(i for i, (_, other) in enumerate(log[:place]) if other == trial)
            ticks = sum(what == "tick" for what, _ in log[before + 1 : place + 1])
            expected.setdefault(trial, []).append(ticks)
    trials, costs = clock.log_costs()
    assert trials == sorted(expected)
    assert costs == pytest.approx([log_cost(sum(expected[t]), len(expected[t])) for t in trials])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 9)), min_size=1, max_size=30), st.floats(1e-6, 1e6))
def test_a_named_cost_that_is_the_same_for_every_report_of_one_worker_tells_what_the_clock_tells(turns, price):
    clock, named, reached = EventClock(), ReportedCosts(), {}
    for trial, reports in turns:
        clock.begin(trial)
        for _ in range(reports):
            clock.tick(trial)
            reached[trial] = reached.get(trial, 0) + 1
            named.add(trial, reached[trial], price * reached[trial])
    trials, costs = clock.log_costs()
    assert named.log_costs()[0] == trials
    assert named.log_costs()[1] == pytest.approx(costs, rel=1e-12)


def test_a_named_cost_is_taken_in_units_of_the_mean_one_with_half_a_unit_more():
    named = ReportedCosts()
    assert (named.log_costs()[0], named.log_costs()[1].shape, bool(named)) == ([], (0,), False)
    named.add(4, 1, 30.0)
    named.add(2, 1, 0.0)
    named.add(2, 3, 6.0)  # in all: 36 for 4 units, 9 each
    trials, costs = named.log_costs()
    assert trials == [2, 4]
    assert costs == pytest.approx([math.log((6 / 9 + 0.5) / 3), math.log((30 / 9 + 0.5) / 1)])


@pytest.mark.parametrize("costs", [ReportedCosts, UnsmoothedCosts])
def test_where_nothing_has_cost_anything_all_is_equally_cheap(costs):
    named = costs()
    for trial in range(3):
        named.add(trial, 2, 0.0)
    assert named.log_costs()[1].tolist() == [0.0, 0.0, 0.0]


def test_plain_costs_tell_cheap_trials_apart_however_dear_one_is():
    plain = UnsmoothedCosts()
    assert plain.log_costs()[1].shape == (0,)
    for trial, (resource, cost) in enumerate([(1, 1.0), (3, 6.0), (2, 2000.0), (1, 0.0)]):
        plain.add(trial, resource, cost)
    trials, costs = plain.log_costs()
    assert trials == [0, 1, 2, 3]
    assert costs == pytest.approx([0.0, math.log(2), math.log(1000), math.log(1000 * CHEAPEST)])


def test_predictions_are_those_of_ridge_regression_with_a_free_intercept():
    rng = np.random.default_rng(5)
    x, candidates = rng.random((30, 4)), rng.random((7, 4))
    costs = x @ rng.standard_normal(4) + rng.standard_normal(30) * 0.1 + 3.0
    reference = Ridge(alpha=RIDGE).fit(x, costs)
    assert predict_log_cost(x, costs, candidates) == pytest.approx(reference.predict(candidates) - costs.mean())


def test_nothing_is_predicted_from_too_few_trials():
    x = np.random.default_rng(5).random((LEAST - 1, 2))
    assert predict_log_cost(x, np.arange(LEAST - 1.0), x).tolist() == [0.0] * (LEAST - 1)


@pytest.mark.parametrize(("cost_weight", "shares"), [(1.0, (0.7, 1.0)), (0.0, (0.3, 0.7)), (-1.0, (0.0, 0.3))])
@pytest.mark.long
def test_of_two_kinds_that_are_equally_good_the_cheaper_is_proposed_more_often(cost_weight, shares):
    low, high = shares
    proposed = [kind for seed in range(4) for kind in kinds_proposed(cost_weight, seed)]
    assert low < proposed.count("cheap") / len(proposed) < high


def kinds_proposed(cost_weight, seed):
    """Of the second half of 60 proposals, where four workers train one kind eight times faster than the other."""
    space = parse_space(
        {"kind": {"type": "choice", "values": ["cheap", "dear"]}, "x": {"type": "float", "lower": 0.0, "upper": 1.0}}
    )
    searcher = GaussianProcessSearcher(
        space, Randomness(0, seed), max_resource=1, random_fraction=0.0, cost_weight=cost_weight
    )
    running = []
    proposed = []
    while len(proposed) < 60:
        while len(running) < 4:
            configuration = searcher.suggest()
            proposed.append(configuration["kind"])
            searcher.on_pending(configuration, 1)
            running.append((1 if configuration["kind"] == "cheap" else 8, configuration))
        running = [(seconds - 1, configuration) for seconds, configuration in running]
        for seconds, configuration in running:
            if seconds == 0:
                searcher.on_report(configuration, 1)
                searcher.update(configuration, 1, configuration["x"])
        running = [(seconds, configuration) for seconds, configuration in running if seconds]
    return proposed[30:]
