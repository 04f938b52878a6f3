"""NSGA-II: the parents are the best of all results so far, and children are made of them as in the paper."""

import math
from collections import Counter

import numpy as np
import pytest

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.randomness import Randomness
from hpo.searchers import NSGA2Searcher
from hpo.space.search_space import parse_space
from hpo.surrogate.pareto import crowding, front_ranks

SPACE = parse_space({name: {"type": "float", "lower": 0.0, "upper": 1.0} for name in "abcd"})


def searcher_of(results, **options):
    """One that was told results of (violation, loss, loss), and their configurations."""
    searcher = NSGA2Searcher(SPACE, Randomness(0, 0), **options)
    configurations = []
    for violation, first, *further in results:
        configurations.append(searcher.suggest())
        searcher.on_outcome(configurations[-1], 1, ReportOutcome(first, violation, further=tuple(further)))
    return searcher, configurations


@pytest.mark.parametrize("seed", range(5))
def test_the_parents_are_the_best_of_all_results_although_those_that_cannot_be_are_forgotten(seed):
    rng = np.random.default_rng(seed)
    losses = rng.random((120, 2)) if seed else rng.integers(0, 6, (120, 2)).astype(float)
    losses[rng.random(120) < 0.05, 1] = math.inf
    violations = np.where(rng.random(120) < 0.2, rng.random(120), 0.0)
    searcher, configurations = searcher_of(zip(violations, *losses.T, strict=True), population_size=10)
    ranks = front_ranks(losses, violations)
    spaces = np.zeros(120)
    for rank in range(ranks.max() + 1):
        front = np.flatnonzero(ranks == rank)
        if np.isfinite(losses[front]).all():
            spaces[front] = crowding(losses[front])
    best = sorted(range(120), key=lambda i: (ranks[i], -spaces[i], i))[:10]
    assert searcher.parents() == [configurations[i] for i in best]


def test_the_first_population_is_random_and_shared_with_random_search():
    told = searcher_of([(0.0, float(i), float(-i)) for i in range(9)], population_size=10)[0]
    silent = NSGA2Searcher(SPACE, Randomness(0, 0), population_size=10)
    for _ in range(9):
        silent.suggest()
    assert told.suggest() == silent.suggest()
    assert told.suggest() != silent.suggest()


def children_of(count, **options):
    searcher, configurations = searcher_of(
        [(0.0, float(i), float(-i)) for i in range(20)], population_size=20, **options
    )
    return [searcher.suggest() for _ in range(count)], configurations


def origin(child, configurations):
    """Of each value the configuration it comes from, None where it is new."""
    return [next((i for i, c in enumerate(configurations) if c[name] == child[name]), None) for name in child]


def test_a_child_has_the_values_of_at_most_two_parents_and_one_new_one_on_average():
    children, configurations = children_of(400)
    origins = [origin(child, configurations) for child in children]
    assert all(len({o for o in one if o is not None}) <= 2 for one in origins)
    new = sum(o is None for one in origins for o in one) / 400
    assert 0.8 < new < 1.4  # of four values each new with probability 1/4; a child that is known is made again
    assert Counter(len({o for o in one if o is not None}) for one in origins)[2] > 100


def test_without_crossover_and_with_all_mutated_nothing_is_inherited():
    children, configurations = children_of(20, crossover_probability=0.0, mutation_probability=1.0)
    assert all(origin(child, configurations) == [None] * 4 for child in children)


@pytest.mark.parametrize(
    ("options", "key"),
    [({"population_size": 1}, "population_size=1"), ({"swap_probability": 1.5}, "swap_probability=1.5")],
)
def test_an_argument_out_of_range_is_an_error_that_names_it(options, key):
    with pytest.raises(ConfigError, match=f"method.searcher.{key}"):
        NSGA2Searcher(SPACE, Randomness(0, 0), **options)
