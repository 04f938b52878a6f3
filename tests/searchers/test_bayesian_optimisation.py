"""The searcher of BO: expected improvement, found precisely."""

import math

import numpy as np
import pytest

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.randomness import Randomness
from hpo.searchers import ImprovementSearcher
from hpo.space.search_space import parse_space
from hpo.surrogate.acquisition import log_expected_improvement

PLAIN = {name: {"type": "float", "lower": 0.0, "upper": 1.0} for name in "ab"}
MIXED = {**PLAIN, "n": {"type": "int", "lower": 1, "upper": 8}, "c": {"type": "choice", "values": ["x", "y", "z"]}}
GIVEN = {name: {**spec, "default": 0.2, "confidence": "high"} for name, spec in PLAIN.items()}


def distance(one):
    return (one["a"] - 0.31) ** 2 + (one["b"] - 0.74) ** 2


def told(space, count, loss=distance, *, excess=None, running=0, **options):
    """A searcher that knows `count` results of uniform configurations."""
    searcher = ImprovementSearcher(
        parse_space(space), Randomness(0, 0), points_to_evaluate=[], max_resource=1, **options
    )
    for number in range(count + running):
        one = searcher.space.sample(np.random.default_rng(number))
        searcher.accept(one)
        searcher.on_pending(one, 1)
        if number < count:
            searcher.on_report(one, 1)
            excesses = () if excess is None else (excess(one),)
            violation = sum(max(value, 0.0) for value in excesses)
            searcher.on_outcome(one, 1, ReportOutcome(loss(one), violation, True, excesses))
    return searcher


def acquisition_of(searcher, monkeypatch):
    """What a proposal of it looks for, with the points that it found, the best first."""
    caught = []
    search = ImprovementSearcher._search
    monkeypatch.setattr(ImprovementSearcher, "_search", lambda *a: caught.append((a[2], search(*a))) or caught[-1][1])
    assert searcher.propose() is not None
    assert searcher.pop_log_messages() == []
    return caught[0]


@pytest.mark.parametrize(
    ("space", "options"),
    [
        (PLAIN, {}),
        (PLAIN, {"running": 3}),
        (PLAIN, {"excess": lambda one: one["a"] - 0.5}),
        (GIVEN, {}),
        (PLAIN, {"cost_weight": 1.0}),
    ],
    ids=["plain", "running", "constraint", "prior", "cost"],
)
def test_the_gradient_of_what_is_looked_for_is_that_of_its_values(space, options, monkeypatch):
    searcher = told(space, 12, **options)
    acquisition, _ = acquisition_of(searcher, monkeypatch)
    x = np.random.default_rng(1).random((5, 2))
    values, slopes = acquisition.with_gradient(x)
    np.testing.assert_allclose(values, acquisition.values(x), atol=1e-8)
    for column in range(2):
        step = 1e-5 * np.eye(2)[column]
        up, down = (acquisition.with_gradient(x + sign * step)[0] for sign in (1, -1))
        np.testing.assert_allclose(slopes[:, column], (up - down) / 2e-5, rtol=1e-3, atol=1e-3)


def test_without_constraints_or_priors_it_is_the_expected_improvement_on_the_lowest_mean(monkeypatch):
    searcher = told(PLAIN, 12)
    acquisition, points = acquisition_of(searcher, monkeypatch)
    posterior, _, levels = searcher.model.posterior([12])
    rows = searcher.history.rows(searcher.history.tried())
    lowest = posterior.mean(searcher.history.inputs_at_resource(rows, 1, levels)).min()
    x = np.random.default_rng(2).random((9, 2))
    mean, deviation = posterior.predict(searcher.history.inputs_at_resource(x, 1, levels))
    expected = log_expected_improvement(mean[:, 0], deviation, lowest)
    np.testing.assert_allclose(acquisition.values(x), expected, atol=1e-8)
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 101)] * 2), axis=-1).reshape(-1, 2)
    assert acquisition.values(points[:1])[0] >= acquisition.values(grid).max() - 1e-6, "nothing on a grid is better"


@pytest.mark.parametrize(
    "options", [{}, {"running": 3}, {"max_size_data_for_model": 20}], ids=["all", "running", "some"]
)
def test_means_of_what_was_tried_are_those_the_model_predicts_there(options):
    searcher = told(PLAIN, 30, **options)
    history = searcher.history
    posterior, targets, levels = searcher.model.posterior([30])
    running = history.running(levels)
    posterior = posterior.fantasise(running, targets, np.random.default_rng(3).standard_normal((len(running), 8)))
    tried = history.tried()
    expected = posterior.mean(history.inputs_at_resource(history.rows(tried), 1, levels))
    np.testing.assert_allclose(searcher.model.means_of(tried, 1, posterior, levels), expected, rtol=1e-7, atol=1e-9)


def test_a_smooth_function_of_a_mixed_space_is_minimised_to_the_last_digits():
    def loss(one):
        return distance(one) + 0.01 * (one["n"] - 3) ** 2 + 0.1 * (one["c"] != "y")

    searcher = ImprovementSearcher(parse_space(MIXED), Randomness(0, 0), max_resource=1)
    best = math.inf
    for _ in range(60):
        one = searcher.suggest()
        searcher.on_pending(one, 1)
        searcher.update(one, 1, loss(one))
        best = min(best, loss(one))
    assert searcher.pop_log_messages() == []
    assert best < 1e-5


def test_where_nothing_is_feasible_what_is_likely_to_be_is_looked_for(monkeypatch):
    searcher = told(PLAIN, 12, excess=lambda one: 2.0 - one["a"])
    acquisition, points = acquisition_of(searcher, monkeypatch)
    assert acquisition.incumbents is None
    assert points[0][0] > 0.9


def test_proposals_for_parallel_workers_lie_apart():
    searcher = told(PLAIN, 8)
    made = []
    for _ in range(4):
        one = searcher.suggest()
        searcher.on_pending(one, 1)
        made.append([one["a"], one["b"]])
    gaps = [math.dist(p, q) for i, p in enumerate(made) for q in made[:i]]
    assert min(gaps) > 1e-3


def test_exploration_is_refused():
    with pytest.raises(ConfigError, match=r"method\.searcher\.exploration=1\.0: ImprovementSearcher has none"):
        ImprovementSearcher(parse_space(PLAIN), Randomness(0, 0), exploration=1.0)
