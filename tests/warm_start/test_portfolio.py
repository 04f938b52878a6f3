"""Configurations that are good together: against the rule read literally, and against round robin."""

import itertools

import numpy as np
import pytest

from hpo.surrogate.portfolio import exact_scores, select_greedily
from hpo.warm_start.best_configurations import best_points
from hpo.warm_start.matching import MatchedResult, MatchedSource, match_results
from hpo.warm_start.portfolio import portfolio
from tests.warm_start.making import earlier, new

X = {"x": {"type": "float", "lower": 0.0, "upper": 1.0}}


def by_definition(scores, near, count):
    """Of all that may follow, the one with the lowest mean over the tasks of the best score so far, written out."""
    taken, since = [], []  # of those since the best so far was forgotten
    while len(taken) < count:
        left = [
            index for index in range(len(scores[0])) if not any(index == one or (one, index) in near for one in taken)
        ]
        if not left:
            break

        def mean_with(chosen):
            return round(sum(min(row[one] for one in chosen) for row in scores) / len(scores), 9)

        means = {index: mean_with([*since, index]) for index in left}
        if since and min(means.values()) >= mean_with(since):
            since = []
            continue
        since.append(min(left, key=lambda index: (means[index], index)))
        taken.append(since[-1])
    return taken


def test_the_greedy_choice_equals_its_definition():
    rng = np.random.default_rng(0)
    for _ in range(200):
        tasks, candidates = rng.integers(1, 5), rng.integers(1, 9)
        scores = rng.integers(0, 6, size=(tasks, candidates)).astype(float)  # many are equal
        near = {pair for pair in itertools.permutations(range(candidates), 2) if rng.random() < 0.1}
        far = [[(one, other) not in near for other in range(candidates)] for one in range(candidates)]
        for count in (1, 3, 20):
            found = select_greedily(scores, far.__getitem__, count)
            assert found == by_definition(scores.tolist(), near, count)


def table(values, source):
    """One trial for each x = 0, .1, .2, …"""
    return earlier(
        *(({"x": number / 10}, 9, value) for number, value in enumerate(values)), source=source, config_space=X
    )


def mean_of_best(chosen, tables):
    """Over the tables: the rank of the best of the chosen configurations, the definition of what is made small."""
    ranks = [np.argsort(np.argsort(values)) for values in tables]
    return np.mean([min(row[round(10 * one["x"])] for one in chosen) for row in ranks])


def test_on_tables_it_takes_what_is_good_in_all_where_round_robin_takes_what_is_best_in_each():
    tables = [[0.0, 9, 9.1, 1, 9.2, 9.3], [9.1, 0.0, 9, 1, 9.3, 9.2], [9, 9.1, 0.0, 1, 9.4, 9.5]]  # .3: second in all
    experiments = [table(values, f"s{number}") for number, values in enumerate(tables)]
    config = new(X)
    sources = match_results(experiments, config)
    taken = portfolio(sources, config, 2)
    assert taken[0] == {"x": 0.3}
    robin = best_points(sources, config.space, 2)
    assert robin == [{"x": 0.0}, {"x": 0.1}]
    assert mean_of_best(taken[:1], tables) < mean_of_best(robin[:1], tables)
    assert mean_of_best(taken, tables) <= mean_of_best(robin, tables)
    assert taken == [{"x": 0.3}, {"x": 0.0}]  # of three that gain as much the first
    for count in (1, 2, 3):
        chosen = [
            {"x": index / 10} for index in by_definition([exact_scores(v).tolist() for v in tables], set(), count)
        ]
        assert portfolio(sources, config, count) == chosen


def test_what_a_source_has_trained_several_times_counts_there_by_its_mean():
    several = [({"x": x}, 9, loss) for x, loss in ((0.0, 0.0), (0.3, 3.0), (0.0, 12.0), (0.6, 5.0), (0.0, 0.0))]
    other = [({"x": x}, 9, loss) for x, loss in ((0.0, 2.0), (0.3, 1.0), (0.6, 3.0))]
    config = new(X)
    sources = match_results(
        [earlier(*several, config_space=X), earlier(*other, source="second", config_space=X)], config
    )
    assert portfolio(sources, config, 1) == [{"x": 0.3}]  # by its first result or its last, 0 is as good, and first


@pytest.mark.long
def test_what_a_source_has_not_trained_is_scored_by_what_a_model_expects_there():
    rng = np.random.default_rng(3)
    sources = []
    for name, count, good in (("many", 40, 0.3), ("few", 12, 0.3), ("other", 20, 0.8)):
        xs = rng.uniform(0, 1, count).round(3).tolist()
        fits = [
            MatchedResult((len(sources), trial), {"x": x}, 9, abs(x - good), 1.0, True) for trial, x in enumerate(xs)
        ]
        sources.append(MatchedSource(name, len(fits), fits))
    taken = [one["x"] for one in portfolio(sources, new(X), 2)]
    assert abs(taken[0] - 0.3) < 0.1  # two of three are good there, whichever of them has trained it
    assert abs(taken[1] - 0.8) < 0.1  # then what the third needs
    assert taken == [one["x"] for one in portfolio(sources, new(X), 2)]
