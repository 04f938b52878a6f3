"""TPE: which trials are good, what running ones and earlier experiments do, and that it searches where it should."""

import math

import numpy as np
import pytest

from hpo import build_scheduler
from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.randomness import Randomness, canonical
from hpo.searchers import RandomSearcher, TPESearcher
from hpo.space.search_space import parse_space
from hpo.surrogate.earlier_data import EarlierData

SQUARE = parse_space({name: {"type": "float", "lower": 0.0, "upper": 1.0} for name in "xy"})


def searcher_of(space=SQUARE, **options):
    return TPESearcher(space, Randomness(0, 0), max_resource=27, **options)


def distance(configuration):
    return math.hypot(configuration["x"] - 0.3, configuration["y"] - 0.7)


def train(searcher, count, loss=distance, resource=27):
    """So many suggestions, each told its result."""
    found = []
    for _ in range(count):
        configuration = searcher.suggest()
        searcher.on_pending(configuration, resource)
        searcher.update(configuration, resource, loss(configuration))
        found.append(configuration)
    return found


def test_ten_results_are_of_random_configurations_and_what_follows_is_not():
    random = RandomSearcher(SQUARE, Randomness(0, 0))
    assert train(searcher_of(), 13)[:10] == (drawn := [random.suggest() for _ in range(13)])[:10]
    assert not {canonical(one) for one in train(searcher_of(), 13)[10:]} & {canonical(one) for one in drawn}


@pytest.mark.parametrize(("n", "share", "most", "good"), [(10, 0.1, 25, 1), (41, 0.1, 25, 5), (41, 0.3, 8, 8)])
def test_the_good_trials_are_the_first_by_violation_then_resource_then_loss(n, share, most, good):
    searcher, rng = searcher_of(share=share, most_good=most), np.random.default_rng(n)
    last = {}
    for trial in range(n):
        configuration = SQUARE.sample(rng)
        for resource in (1, 3, 9)[: rng.integers(1, 4)]:
            loss = math.inf if rng.random() < 0.1 else float(rng.integers(8))
            outcome = ReportOutcome(loss, violation=float(rng.integers(3)) if rng.random() < 0.3 else 0.0)
            searcher.on_outcome(configuration, resource, outcome)
            last[trial] = (math.isinf(loss), outcome.violation, -resource, loss, trial)
    ranked = sorted(last, key=last.get)
    found = [part.tolist() for part in searcher.split()]
    assert found == [sorted(ranked[:good]), sorted(ranked[good:])]


def test_running_trials_keep_proposals_away():
    alone, crowded = searcher_of(), searcher_of()
    for searcher in (alone, crowded):
        train(searcher, 40)
    close = [{"x": 0.3 + 0.002 * i, "y": 0.7 - 0.002 * i} for i in range(20)]
    for configuration in close:
        crowded.on_pending(configuration, 27)
    near = [sum(distance(one) < 0.15 for one in (s.suggest() for _ in range(40))) for s in (alone, crowded)]
    assert near[0] > near[1] + 5


def test_a_promoted_trial_that_runs_on_is_not_among_the_others():
    searcher = searcher_of()
    best = train(searcher, 20, resource=1)[0]
    before = searcher.propose()
    searcher.on_pending(best, 3)
    assert searcher.propose() == before


def test_proposals_gather_where_results_are_good():
    searcher = searcher_of()
    found = [distance(one) for one in train(searcher, 80)]
    assert np.median(found[60:]) < 0.5 * np.median(found[:10])


def test_a_space_of_three_points_is_gone_through_once():
    space = parse_space({"a": {"type": "choice", "values": ["p", "q", "r"]}})
    searcher = searcher_of(space, startup=1)
    found = [searcher.suggest() for _ in range(3)]
    assert sorted(one["a"] for one in found) == ["p", "q", "r"]
    assert searcher.suggest() is None


def test_candidates_that_are_all_known_are_no_end():
    space = parse_space({"n": {"type": "int", "lower": 1, "upper": 40}})
    searcher = searcher_of(space)
    found = train(searcher, 40, loss=lambda one: one["n"])
    assert sorted(one["n"] for one in found) == list(range(1, 41))


def earlier(loss, count=60):
    rng = np.random.default_rng(7)
    configurations = [SQUARE.sample(rng) for _ in range(count)]
    losses = [loss(one) for one in configurations]
    return EarlierData(configurations, range(count), [27] * count, losses, [True] * count)


def test_an_earlier_experiment_shows_the_way_before_there_are_own_results_to_show_it():
    warm = searcher_of()
    warm.learn_from([earlier(lambda one: 100 + 50 * distance(one))])
    train(warm, 6)
    cold = searcher_of()
    train(cold, 6)
    near = [np.mean([distance(one) for one in train(searcher, 4)]) for searcher in (warm, cold)]
    assert near[0] < 0.6 * near[1]


def test_an_earlier_experiment_that_orders_the_own_results_the_wrong_way_round_is_left_out():
    warm, cold = searcher_of(), searcher_of()
    warm.learn_from([earlier(lambda one: -distance(one))])
    for one in train(cold, 30):
        warm.accept(one)
        warm.update(one, 27, distance(one))
    assert warm.propose() == cold.propose()


@pytest.mark.parametrize(
    ("key", "value"), [("share", 0), ("share", 1), ("num_candidates", 0), ("most_good", 0), ("startup", 0)]
)
def test_arguments_out_of_range_are_errors_that_name_the_key(key, value):
    with pytest.raises(ConfigError, match=rf"method\.searcher\.{key}={value}: use"):
        build_scheduler(
            "ASHA-TPE", {"x": {"type": "float", "lower": 0, "upper": 1}}, max_resource=9, seed=0, **{key: value}
        )
