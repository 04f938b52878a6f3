"""Every searcher by the contract, and what each does of its own."""

import itertools
from collections import Counter

import pytest

from hpo.errors import ConfigError
from hpo.randomness import Randomness, canonical
from hpo.searchers import (
    BOHBSearcher,
    CMAESSearcher,
    EvolutionSearcher,
    GaussianProcessSearcher,
    GridSearcher,
    HyperTuneSearcher,
    IndependentSearcher,
    MOBSTERSearcher,
    MultiObjectiveSearcher,
    NSGA2Searcher,
    RandomSearcher,
    SobolSearcher,
    TPESearcher,
)
from hpo.searchers.cqr import CQRSearcher
from hpo.space.search_space import parse_space
from tests.support.contracts import MIXED, SMALL, SearcherContract, take

MODELS = [
    GaussianProcessSearcher,
    MOBSTERSearcher,
    IndependentSearcher,
    HyperTuneSearcher,
    TPESearcher,
    BOHBSearcher,
    CQRSearcher,
    MultiObjectiveSearcher,
]
SEARCHERS = [
    RandomSearcher,
    SobolSearcher,
    GridSearcher,
    EvolutionSearcher,
    CMAESSearcher,
    NSGA2Searcher,
    *MODELS,
]


def maker(cls):
    def make(space, *, seed=0, random_seed=0, points_to_evaluate=None, **options):
        if space.conditions and not cls.capabilities.conditions:
            pytest.skip(f"{cls.__name__} refuses spaces with conditions")
        return cls(space, Randomness(random_seed, seed), points_to_evaluate=points_to_evaluate, **options)

    return make


@pytest.fixture(params=SEARCHERS, ids=lambda cls: cls.__name__)
def factory(request):
    return maker(request.param)


class TestEverySearcher(SearcherContract):
    """Random, Sobol' and grid search, and those with a model."""


@pytest.mark.parametrize("cls", SEARCHERS)
def test_a_point_outside_the_space_is_an_error_that_names_it(cls):
    with pytest.raises(ConfigError, match=r"points_to_evaluate\[1\].*layers=99"):
        maker(cls)(MIXED, points_to_evaluate=[{}, {"layers": 99}])


def test_random_and_sobol_share_six_configurations_points_included():
    points = [{"act": "gelu"}, {"act": "tanh"}]
    for given in (None, [], points):
        random = take(maker(RandomSearcher)(MIXED, points_to_evaluate=given), 8)
        sobol = take(maker(SobolSearcher)(MIXED, points_to_evaluate=given), 8)
        assert random[:6] == sobol[:6]
        assert random[6:] != sobol[6:]


def test_seven_points_are_all_evaluated():
    points = [{"layers": n} for n in range(1, 8)]
    given = take(maker(SobolSearcher)(MIXED, points_to_evaluate=points), 8)
    assert [c["layers"] for c in given[:7]] == [1, 2, 3, 4, 5, 6, 7]


def test_random_draws_are_uniform_on_the_scale_of_the_space():
    space = parse_space({"lr": {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True}})
    draws = [c["lr"] for c in take(maker(RandomSearcher)(space), 1000)]
    counts = Counter(sum(value >= edge for edge in (1e-3, 1e-2, 1e-1)) for value in draws)
    assert all(180 < counts[decade] < 320 for decade in range(4))


def test_sobol_points_fill_every_cell_that_they_must():
    space = parse_space({name: {"type": "float", "lower": 0.0, "upper": 1.0} for name in "xy"})
    sobol = take(maker(SobolSearcher)(space, points_to_evaluate=[]), 6 + 64)[6:]
    cells = Counter((int(c["x"] * 8), int(c["y"] * 8)) for c in sobol)
    assert len(cells) == 64, "64 scrambled points of a (0, 6, 2)-net lie in 64 different squares"


def test_the_grid_is_the_product_of_the_values_of_every_domain():
    space = parse_space(
        {
            "lr": {"type": "float", "lower": 0.001, "upper": 1.0, "log": True},
            "layers": {"type": "int", "lower": 1, "upper": 3},
            "act": {"type": "choice", "values": ["relu", "tanh"]},
        }
    )
    given = list(iter(maker(GridSearcher)(space, points_to_evaluate=[], num_samples=4).suggest, None))
    product = itertools.product((0.001, 0.01, 0.1, 1.0), (1, 2, 3), ("relu", "tanh"))
    found = sorted((c["lr"], c["layers"], c["act"]) for c in given)
    assert len(given) == 24
    for (lr, layers, act), (x, y, z) in zip(sorted(product), found, strict=True):
        assert (layers, act) == (y, z)
        assert lr == pytest.approx(x)


def test_the_grid_comes_in_an_order_that_depends_on_the_seed():
    orders = {
        tuple(map(canonical, take(maker(GridSearcher)(SMALL, seed=s, points_to_evaluate=[]), 24))) for s in range(5)
    }
    assert len(orders) == 5


@pytest.mark.parametrize("num_samples", [0, -1])
def test_a_grid_of_no_values_is_an_error(num_samples):
    with pytest.raises(ConfigError, match="num_samples"):
        maker(GridSearcher)(MIXED, num_samples=num_samples)


@pytest.mark.parametrize("cls", [RandomSearcher, SobolSearcher])
@pytest.mark.parametrize("scale", [{}, {"log": True}], ids=["linear", "log"])
def test_every_value_of_a_stepped_float_is_found_before_the_space_is_exhausted(cls, scale):
    space = parse_space({"x": {"type": "float", "lower": 1.0, "upper": 4.9, "step": 1.0, **scale}})
    given = list(iter(maker(cls)(space).suggest, None))
    assert sorted(c["x"] for c in given) == [1.0, 2.0, 3.0, 4.0]


def test_values_that_are_rarely_drawn_are_found_before_a_small_space_is_exhausted():
    space = parse_space({"n": {"type": "int", "lower": 1, "upper": 600, "log": True}})
    given = list(iter(maker(RandomSearcher)(space).suggest, None))
    assert sorted(c["n"] for c in given) == list(range(1, 601))


def test_a_branch_that_is_seldom_drawn_is_found_when_all_others_are_known():
    space = parse_space(
        {
            "kind": {"type": "choice", "values": list(range(300))},
            "x": {"type": "float", "lower": 0.0, "upper": 1.0, "when": {"kind": 7}},
        }
    )
    given = take(maker(RandomSearcher)(space, points_to_evaluate=[]), 600)
    assert None not in given
    assert len({canonical(one) for one in given}) == 600
    assert {one["kind"] for one in given[-150:]} == {7}, "only there is anything left"


def test_the_grid_of_a_conditional_space_has_every_combination_once():
    space = parse_space(
        {
            "layers": {"type": "int", "lower": 1, "upper": 3},
            "rate": {"type": "float", "lower": 0.0, "upper": 1.0, "when": {"layers": {"lower": 2}}},
            "act": {"type": "choice", "values": ["relu", "tanh"]},
        }
    )
    expected = {canonical({"layers": 1, "act": act}) for act in ("relu", "tanh")}
    rates = (0.0, 0.5, 1.0)
    expected |= {canonical({"layers": n, "rate": r, "act": a}) for n in (2, 3) for r in rates for a in ("relu", "tanh")}
    searcher = maker(GridSearcher)(space, points_to_evaluate=[], num_samples=3)
    *given, end = take(searcher, len(expected) + 1)
    assert searcher.grid_size == len(expected)
    assert ({canonical(one) for one in given}, end) == (expected, None)


def test_points_that_stand_for_the_same_values_are_evaluated_once():
    space = parse_space({"d": {"type": "float", "lower": 0.0, "upper": 1.0, "step": 0.5}})
    given = [{"d": 0}, {"d": 0.5000000001}, {"d": 1}, {"d": 0.0}]
    *found, end = take(maker(RandomSearcher)(space, points_to_evaluate=given), 4)
    assert [(type(c["d"]), c["d"]) for c in found] == [(float, 0.0), (float, 0.5), (float, 1.0)]
    assert end is None


def test_a_grid_of_more_points_than_fit_into_64_bits_takes_no_memory():
    space = parse_space({f"x{i}": {"type": "float", "lower": 0.0, "upper": 1.0} for i in range(40)})
    configurations = take(maker(GridSearcher)(space, points_to_evaluate=[]), 50)
    assert len({canonical(configuration) for configuration in configurations}) == 50
    assert {v for c in configurations for v in c.values()} == {0.0, 0.25, 0.5, 0.75, 1.0}


def test_points_to_evaluate_are_written_out_once_not_at_every_proposal(monkeypatch):
    space = parse_space({"x": {"type": "float", "lower": 0.0, "upper": 1.0}})
    searcher = maker(RandomSearcher)(space, points_to_evaluate=[{"x": i / 500} for i in range(500)])
    written = []
    monkeypatch.setattr("hpo.searchers.base.canonical", lambda c: written.append(1) or canonical(c))
    take(searcher, 520)
    assert len(written) < 2000
