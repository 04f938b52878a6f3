"""What searchers make of priors, above all the one with a Gaussian process of its own."""

import math

import numpy as np
import pytest
from scipy.stats import truncnorm

from hpo import build_scheduler
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
