"""What searchers make of priors, above all the one with a Gaussian process of its own."""

import math

import numpy as np
import pytest
from scipy.stats import truncnorm

from hpo import Decision, Start, Trial, build_scheduler
from hpo.errors import ConfigError
from hpo.randomness import Randomness
from hpo.searchers import GaussianProcessSearcher, RandomSearcher, gaussian_process
from hpo.space.search_space import parse_space

PLAIN = {name: {"type": "float", "lower": 0.0, "upper": 1.0} for name in "ab"}
GIVEN = {name: {**spec, "default": 0.2, "confidence": "high"} for name, spec in PLAIN.items()}
METHODS = ("RS", "SOBOL", "ASHA", "ASHA-GP", "BO", "HYPERBAND", "SYNC-HYPERBAND")


@pytest.mark.parametrize("method", METHODS)
def test_all_methods_share_the_default_and_the_initial_draws_from_the_prior(method):
    schedulers = [build_scheduler(name, GIVEN, max_resource=9, seed=0) for name in ("RS", method)]
    one, other = ([scheduler.suggest().configuration for _ in range(6)] for scheduler in schedulers)
    assert one == other
    assert one[0] == {"a": 0.2, "b": 0.2}


@pytest.mark.parametrize("method", ["MOBSTER", "MOBSTER-INDEP", "HYPERTUNE", "SYNC-MOBSTER"])
def test_a_method_that_knows_nothing_of_priors_says_so_and_takes_defaults(method):
    with pytest.raises(
        ConfigError, match=r"knows nothing of priors; remove config_space\.a\.confidence, or use another method"
    ):
        build_scheduler(method, GIVEN, max_resource=9, seed=0)
    defaults = {name: {**spec, "default": 0.2} for name, spec in PLAIN.items()}
    scheduler = build_scheduler(method, defaults, max_resource=9, seed=0)
    assert scheduler.suggest().configuration == {"a": 0.2, "b": 0.2}


def test_random_search_draws_from_the_prior():
    searcher = RandomSearcher(parse_space(GIVEN), Randomness(0, 0))
    drawn = np.array([searcher.suggest()["a"] for _ in range(2000)])
    law = truncnorm(-0.8, 3.2, 0.2, 0.25)
    assert abs((drawn < 0.3).mean() - law.cdf(0.3)) < 4 * math.sqrt(0.25 / 2000)


def told(space, count, best, loss=lambda one, best: abs(one["a"] - best) + abs(one["b"] - best)):
    """A searcher that knows `count` results of uniform configurations, of which those around `best` are good."""
    searcher = GaussianProcessSearcher(
        parse_space(space), Randomness(0, 0), points_to_evaluate=[], max_resource=1, random_fraction=0.0
    )
    rng = np.random.default_rng(0)
    for _ in range(count):
        one = {"a": float(rng.random()), "b": float(rng.random())}
        searcher.accept(one)
        searcher.update(one, 1, loss(one, best))
    return searcher


def test_a_prior_moves_proposals_towards_it_and_is_passed_over_where_the_best_lie_elsewhere():
    flat = {"loss": lambda one, _: 10 * one["a"] % 1}  # says nothing of where to look

    def proposals(space, best, count=12, **keys):
        made = []
        for seed in range(12):
            searcher = told(space, count, best, **keys)
            searcher.randomness = Randomness(0, seed)
            made.append(searcher.propose()["a"])
        return np.array(made)

    near, anywhere = (np.abs(proposals(space, 0.2, 8, **flat) - 0.2).mean() for space in (GIVEN, PLAIN))
    assert near < anywhere - 0.1
    assert proposals(GIVEN, 0.9).tolist() == proposals(PLAIN, 0.9).tolist(), "the guard: as if there were none"


def test_what_the_prior_counts_for_falls_with_every_result(monkeypatch):
    """Density to the power of β / n: as it would be at a million results it decides nothing."""

    def proposals(weight):
        monkeypatch.setattr(gaussian_process, "PRIOR_WEIGHT", weight)
        made = []
        for seed in range(8):
            searcher = told(GIVEN, 12, 0.2)
            searcher.randomness = Randomness(0, seed)
            made.append(searcher.propose())
        return made

    assert proposals(10.0 * 12 / 10**6) == proposals(0.0)
    assert proposals(10.0) != proposals(0.0)


def proposals(cost_left, **options):
    """Of one that has seen 12 results, of which those with large b cost more."""
    space = parse_space(PLAIN)
    searcher = GaussianProcessSearcher(
        space, Randomness(0, 0), points_to_evaluate=[], max_resource=1, random_fraction=0.0, **options
    )
    searcher.cost_left = cost_left
    rng = np.random.default_rng(0)
    found = []
    for _ in range(20):
        one = space.sample(rng) if len(found) < 12 else searcher.propose()
        searcher.accept(one)
        searcher.on_cost(one, 1, math.exp(4 * one["b"]))
        searcher.on_report(one, 1)
        searcher.update(one, 1, one["a"])
        found.append(one)
    return found[12:]


def test_cost_counts_by_the_share_that_is_left_of_its_budget():
    assert proposals(0.0) == proposals(1.0, cost_weight=0.0)
    assert proposals(0.4) == proposals(1.0, cost_weight=0.2)
    dear, cheap = (np.mean([one["b"] for one in proposals(left)]) for left in (0.0, 1.0))
    assert cheap < dear


@pytest.mark.parametrize("method", ["ASHA-GP", "BO"])
def test_with_one_worker_and_the_same_cost_for_every_report_a_named_cost_changes_no_decision(method):
    told = []
    for named in (False, True):
        scheduler = build_scheduler(method, PLAIN, max_resource=9, seed=3, cost_weight=0.5)
        decided, reached = [], {}
        for number in range(40):
            suggestion = scheduler.suggest()
            if isinstance(suggestion, Start):
                trial = Trial(number, suggestion.configuration)
                scheduler.on_start(trial)
                reached[trial.id] = trial, 0
            else:
                trial, _ = reached[suggestion.trial_id]
            decided.append(suggestion)
            decision, resource = Decision.CONTINUE, reached[trial.id][1]
            while decision == Decision.CONTINUE and resource < suggestion.until:
                resource += 1
                loss = trial.configuration["a"] + trial.configuration["b"] / resource
                if named:
                    scheduler.on_cost(trial, resource, 0.3 * resource)
                decision = scheduler.on_report(trial, resource, loss)
            reached[trial.id] = trial, resource
            if decision == Decision.CONTINUE:
                scheduler.on_complete(trial)
        told.append(decided)
    assert told[0] == told[1]


@pytest.mark.parametrize("kind", [RandomSearcher, GaussianProcessSearcher])
@pytest.mark.long
def test_in_a_box_nine_of_ten_proposals_stay_and_without_one_nothing_changes(kind):
    space = parse_space(PLAIN)
    box = parse_space({"a": {**PLAIN["a"], "upper": 0.2}, "b": {**PLAIN["b"], "lower": 0.5}})
    drawn = {}
    for where in (None, space, box):
        searcher = kind(space, Randomness(0, 0), points_to_evaluate=[])
        if where is not None:
            searcher.restrict_to(where)
        drawn[where and where.domains["a"].upper] = found = []
        for number in range(150):
            one = searcher.suggest()
            found.append(one)
            if number < 30:
                searcher.on_pending(one, 1)
                searcher.update(one, 1, one["a"] ** 2 - one["b"])
    inside = [one["a"] <= 0.2 and one["b"] >= 0.5 for one in drawn[0.2]]
    by_chance = 0.1 * (0.1 if kind is RandomSearcher else 0.5)  # of those that are looked for everywhere
    assert abs(sum(inside) / 150 - 0.9 - by_chance) < 4 * math.sqrt(0.09 / 150) + (
        0.05 if kind is not RandomSearcher else 0
    )
    assert drawn[None] == drawn[1.0]
