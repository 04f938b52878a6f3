"""MO-ASHA: with one objective it is ASHA, with several it promotes what spreads over the front."""

import math
import time

import pytest

from hpo import build_scheduler
from hpo.schedulers.mo_asha import ParetoRung
from tests.support.contracts import MAXIMUM, Driver
from tests.support.fakes import SPACE, run_fake


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n_workers", "options"), [(1, {}), (4, {"brackets": None}), (3, {"reduction_factor": 2})])
def test_with_one_objective_every_decision_is_one_of_asha(seed, n_workers, options):
    def events(method):
        scheduler = build_scheduler(method, SPACE, max_resource=MAXIMUM, seed=seed, **options)
        return Driver(scheduler, seed, n_workers=n_workers).run(300).events

    assert repr(events("MO-ASHA")) == repr(events("ASHA"))
    assert any(event.kind == "resumed" for event in events("MO-ASHA"))


def rung_of(results, quantile=1.0):
    rung = ParetoRung(1, quantile)
    for trial_id, result in enumerate(results):
        rung.record_waiting(trial_id, result)
    return rung


def all_of(rung):
    found = []
    while (trial_id := rung.promotable()) is not None:
        found.append(trial_id)
        rung.remove(trial_id)
    return found


def test_a_front_begins_with_its_best_of_the_first_objective_and_goes_on_with_the_farthest():
    line = [(0.0, float(x), float(4 - x)) for x in (1, 3, 0, 2, 4)]  # all on one front, ranks equal to the losses
    assert all_of(rung_of(line)) == [2, 4, 3, 0, 1]


def test_units_and_outliers_do_not_count_and_what_is_dominated_comes_behind():
    results = [(0.0, 0.1, 1e9), (0.0, 0.2, 3.0), (0.0, 1e12, 2.0), (0.0, 0.3, 4.0)]
    assert all_of(rung_of(results)) == [0, 2, 1, 3]


def test_equal_results_have_one_position_and_the_lowest_id_goes_first():
    assert all_of(rung_of([(0.0, 2.0, 1.0), (0.0, 1.0, 2.0), (0.0, 1.0, 2.0)], 0.5)) == [1, 2]


def test_what_breaks_a_constraint_or_diverged_comes_behind_and_the_latter_never_goes_on():
    results = [(0.5, 0.0, 0.0), (0.0, 3.0, 3.0), (0.0, 1.0, math.inf), (0.2, 9.0, 9.0), (math.inf, 0.0, 0.0)]
    assert all_of(rung_of(results)) == [1, 3, 0]


def test_a_third_of_a_rung_goes_on_and_a_failed_trial_does_not():
    rung = rung_of([(0.0, float(x), float(6 - x)) for x in range(7)], 1 / 3)
    rung.remove(0)  # it failed
    assert all_of(rung) == [6, 3]  # positions 1 and 2 of at most 6/3


def test_an_experiment_promotes_from_both_ends_of_the_front():
    _, state, events = run_fake("MO-ASHA", n_workers=2, max_resource=9)
    resumed = [event.trial for event in events if event.kind == "resumed"]
    assert resumed
    assert len(state.front) > 1
    assert state.incumbent.trial_id == state.front[0].trial_id


def test_a_decision_at_five_hundred_results_takes_milliseconds():
    rung = rung_of([(0.0, math.sin(x / 319), math.cos(x / 319)) for x in range(500)], 1 / 3)
    begin = time.process_time()
    first = rung.promotable()
    once = time.process_time() - begin
    begin = time.process_time()
    for _ in range(100):
        assert rung.promotable() == first
    assert time.process_time() - begin < max(once, 0.05)  # what is known is not computed again
