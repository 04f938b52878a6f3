"""Regularised evolution against a literal loop, and what it does where little is known."""

import math

import pytest

from hpo import build_scheduler
from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.randomness import Randomness
from hpo.searchers import EvolutionSearcher, RandomSearcher
from hpo.space.search_space import parse_space

CELLS = parse_space({f"edge{i}": {"type": "choice", "values": list("abcde")} for i in range(6)})
BRANCHES = parse_space(
    {
        "kind": {"type": "choice", "values": ["p", "q"]},
        "x": {"type": "float", "lower": 0.0, "upper": 1.0, "when": {"kind": "p"}},
        "n": {"type": "int", "lower": 1, "upper": 9, "when": {"kind": "q"}},
    }
)


def loss_of(configuration):
    return sum((ord("e") - ord(value)) * (i + 1) for i, value in enumerate(configuration.values()))


def train(searcher, count, loss=loss_of):
    found = []
    for _ in range(count):
        found.append(searcher.suggest())
        searcher.update(found[-1], 9, loss(found[-1]))
    return found


@pytest.mark.parametrize(("population", "sample"), [(20, 10), (8, 3)])
def test_it_is_the_loop_of_the_paper(population, sample):
    searcher = EvolutionSearcher(CELLS, Randomness(0, 0), population=population, sample=sample)
    random = RandomSearcher(CELLS, Randomness(0, 0))
    expected = train(random, population)
    queue = [(loss_of(one), number, one) for number, one in enumerate(expected)]
    while len(expected) < 60:
        rng = Randomness(0, 0).stream("rea", len(expected))
        child = None
        while child is None or child in expected:
            parent = min(queue[i] for i in rng.choice(population, sample, replace=False))[2]
            rng.random(len(CELLS))
            name = list(CELLS.domains)[rng.integers(6)]
            value = parent[name]
            while value == parent[name]:
                value = "abcde"[int(rng.random() * 5)]
            child = {**parent, name: value}
        queue.append((loss_of(child), len(expected), child))
        queue.pop(0)
        expected.append(child)
    assert train(searcher, 60) == expected


def test_it_finds_better_cells_than_random_search():
    for seed in range(3):
        evolved = train(EvolutionSearcher(CELLS, Randomness(0, seed)), 200)
        drawn = train(RandomSearcher(CELLS, Randomness(0, seed)), 200)
        assert min(map(loss_of, evolved)) < min(map(loss_of, drawn))


def test_the_best_is_first_what_breaks_no_constraint_then_what_is_furthest_trained_then_what_is_lowest():
    searcher = EvolutionSearcher(CELLS, Randomness(0, 0), population=8, sample=8)
    first = [searcher.suggest() for _ in range(8)]
    outcomes = [
        (9, ReportOutcome(0.0, violation=0.1)),
        (9, ReportOutcome(math.inf)),
        (3, ReportOutcome(2.0)),
        (9, ReportOutcome(5.0)),
        (3, ReportOutcome(1.0)),
        (1, ReportOutcome(0.5)),
        (9, ReportOutcome(7.0)),
        (1, ReportOutcome(0.1)),
    ]
    for configuration, (resource, outcome) in zip(first, outcomes, strict=True):
        searcher.on_outcome(configuration, 1, ReportOutcome(0.0))
        searcher.on_outcome(configuration, resource, outcome)
    child = searcher.propose()
    assert [sum(a != b for a, b in zip(one.values(), child.values(), strict=True)) == 1 for one in first] == [
        number == 3 for number in range(8)
    ]


def test_what_a_changed_choice_brings_into_use_gets_a_value():
    searcher = EvolutionSearcher(BRANCHES, Randomness(0, 0), population=5, sample=2)
    found = train(searcher, 60, loss=lambda one: one.get("x", one.get("n")))
    assert all(list(one) == BRANCHES.used_names(one) for one in found)
    assert len({one["x"] for one in found if one["kind"] == "p"}) == sum(one["kind"] == "p" for one in found)


def test_proposals_stay_random_until_as_many_as_are_compared_have_results():
    searcher, random = EvolutionSearcher(CELLS, Randomness(0, 0)), RandomSearcher(CELLS, Randomness(0, 0))
    assert [searcher.suggest() for _ in range(30)] == [random.suggest() for _ in range(30)]


@pytest.mark.parametrize(
    ("options", "said"), [({"population": 1}, "population=1: use 2"), ({"sample": 21}, "sample=21: use 1 to 20")]
)
def test_arguments_out_of_range_are_errors_that_name_the_key(options, said):
    with pytest.raises(ConfigError, match=rf"method\.searcher\.{said}"):
        build_scheduler("REA", {"x": {"type": "float", "lower": 0, "upper": 1}}, max_resource=9, seed=0, **options)
