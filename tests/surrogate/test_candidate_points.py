"""Candidates as points of the unit cube are the configurations they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from hpo.space.search_space import parse_space
from hpo.surrogate.candidate_points import CandidatePoints
from hpo.surrogate.candidates import mutate
from hpo.surrogate.encoding import Encoding

SPACE = parse_space(
    {
        "lr": {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True},
        "drop": {"type": "float", "lower": 0.0, "upper": 0.9, "step": 0.1},
        "layers": {"type": "int", "lower": 1, "upper": 4},
        "units": {"type": "int", "lower": 4, "upper": 1024, "log": True},
        "many": {"type": "int", "lower": 1, "upper": 10**7},
        "width": {"type": "ordinal", "values": [32, 64, 128]},
        "act": {"type": "choice", "values": ["relu", "tanh", "gelu"]},
        "bias": {"type": "choice", "values": [True, False]},
        "fixed": {"type": "choice", "values": ["only"]},
        "constant": {"type": "float", "lower": 2.0, "upper": 2.0},
    }
)
UNIT = {"type": "float", "lower": 0.0, "upper": 1.0}
CONDITIONAL = parse_space(
    {
        "act": {"type": "choice", "values": ["relu", "tanh", "gelu"]},
        "slope": {**UNIT, "when": {"act": ["relu", "gelu"]}},
        "layers": {"type": "int", "lower": 1, "upper": 4, "when": {"act": "relu"}},
        "many": {"type": "int", "lower": 1, "upper": 10**7},
        "width": {"type": "ordinal", "values": [32, 64, 128], "when": {"layers": {"lower": 2}}},
        "norm": {"type": "choice", "values": ["batch", "layer"], "when": {"many": {"upper": 4 * 10**6}}},
        "one": {"type": "choice", "values": ["only"], "when": {"act": "tanh"}},
        "under": {"type": "choice", "values": ["x", "y", "z"], "when": {"one": "only", "norm": "batch"}},
    }
)
SPACES = st.sampled_from([SPACE, CONDITIONAL])
SEEDS = st.integers(0, 2**32 - 1)


def lies_in(space, configuration):
    assert list(configuration) == space.used_names(configuration)
    return all(value in space.domains[name] for name, value in configuration.items())


@given(SPACES, SEEDS)
def test_a_sampled_point_is_where_its_configuration_lies(space, seed):
    pool = CandidatePoints(space)
    points = pool.sample(np.random.default_rng(seed), 5)
    configurations = [pool.decode(point) for point in points]
    assert all(lies_in(space, configuration) for configuration in configurations)
    np.testing.assert_allclose(pool.points(configurations), points, atol=1e-6)  # `many` is rounded at the end only
    np.testing.assert_allclose(pool.encode(points), Encoding(space).encode(configurations), atol=1e-6)


@given(SPACES, SEEDS)
def test_a_mutation_is_another_configuration_of_the_space(space, seed):
    pool = CandidatePoints(space)
    rng = np.random.default_rng(seed)
    parents = pool.sample(rng, 8)
    moved = pool.mutate(rng, parents)
    assert ((moved >= 0) & (moved <= 1)).all()
    assert (moved != parents).any(axis=1).all()
    for before, after in zip(parents, moved, strict=True):
        configuration = pool.decode(after)
        assert configuration != pool.decode(before)
        assert lies_in(space, configuration)
        single = mutate(space, pool.decode(before), rng)
        assert single != pool.decode(before)
        assert lies_in(space, single)


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "int", "lower": 0, "upper": 1000},
        {"type": "int", "lower": 16, "upper": 512, "log": True},
        {"type": "int", "lower": 1, "upper": 8, "log": True},
        {"type": "float", "lower": 0.0, "upper": 1.0, "step": 0.001},
        {"type": "float", "lower": 0.0, "upper": 1.0, "step": 1.0},
        {"type": "ordinal", "values": list(range(40))},
    ],
    ids=str,
)
def test_from_every_value_a_mutation_can_reach_its_neighbours_and_never_stays(spec):
    space = parse_space({"n": spec})
    values = list(space.domains["n"].values(10_000))
    pool, rng = CandidatePoints(space), np.random.default_rng(0)
    for index in sorted({0, 1, len(values) // 3, len(values) // 2, len(values) - 1} & set(range(len(values)))):
        parent = {"n": values[index]}
        points = pool.mutate(rng, np.repeat(pool.points([parent]), 4000, axis=0))
        together = {pool.decode(point)["n"] for point in np.unique(points, axis=0)}
        single = {mutate(space, parent, rng)["n"] for _ in range(4000)}
        for found in (together, single):
            assert values[index] not in found
            assert set(values[max(index - 1, 0) : index + 2]) - {values[index]} <= found


@pytest.mark.parametrize("space", [SPACE, CONDITIONAL], ids=["flat", "conditional"])
def test_mutations_are_distributed_as_those_of_single_configurations(space):
    pool, rng, count = CandidatePoints(space), np.random.default_rng(0), 4000
    parent = space.default
    together = pool.mutate(rng, np.repeat(pool.points([parent]), count, axis=0))
    single = pool.points([mutate(space, parent, rng) for _ in range(count)])
    for column in range(together.shape[1]):
        changed = [(points[:, column] != pool.points([parent])[0, column]).mean() for points in (together, single)]
        spread = [np.abs(points[:, column] - pool.points([parent])[0, column]).mean() for points in (together, single)]
        assert changed[0] == pytest.approx(changed[1], abs=0.04)
        assert spread[0] == pytest.approx(spread[1], abs=0.02)


def test_what_a_flipped_gate_brings_along_is_uniform():
    space = parse_space({"gate": {"type": "choice", "values": ["a", "b"]}, "x": {**UNIT, "when": {"gate": "b"}}})
    pool, rng = CandidatePoints(space), np.random.default_rng(0)
    together = [pool.decode(p) for p in pool.mutate(rng, np.repeat(pool.points([{"gate": "a"}]), 2000, axis=0))]
    single = [mutate(space, {"gate": "a"}, rng) for _ in range(2000)]
    for drawn in (together, single):  # nothing else can be changed
        assert {one["gate"] for one in drawn} == {"b"}
        assert kstest([one["x"] for one in drawn], "uniform").pvalue > 1e-3


def test_all_values_of_a_finite_space_are_sampled():
    space = parse_space({"a": {"type": "ordinal", "values": [1, 2, 3]}, "b": {"type": "choice", "values": ["x", "y"]}})
    pool = CandidatePoints(space)
    found = {tuple(pool.decode(p).values()) for p in pool.sample(np.random.default_rng(0), 200)}
    assert len(found) == 6
