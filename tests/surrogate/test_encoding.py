"""Columns of what is not always used: distances by their definition, and kernels without a negative eigenvalue."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.space.search_space import parse_space
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.kernel import Inputs, Kernel

UNIT = {"type": "float", "lower": 0.0, "upper": 1.0}
DOMAINS = {
    "float": UNIT,
    "int": {"type": "int", "lower": 1, "upper": 9},
    "ordinal": {"type": "ordinal", "values": [1, 10, 100]},
    "two": {"type": "choice", "values": ["p", "q"]},
    "three": {"type": "choice", "values": ["p", "q", "r"]},
}
GATE = {"type": "choice", "values": ["on", "off"]}


def distances(domain, values):
    """Between configurations with these values, None for not used, in the columns of the hyperparameter alone."""
    encoding = Encoding(parse_space({"gate": GATE, "x": {**domain, "when": {"gate": "on"}}}))
    given = [{"gate": "off"} if value is None else {"gate": "on", "x": value} for value in values]
    x = encoding.encode(given)[:, encoding.groups == 1]
    return np.linalg.norm(x[:, None] - x, axis=2)


@pytest.mark.parametrize("kind", DOMAINS)
def test_what_is_not_used_is_as_far_from_every_value_as_the_ends_are_from_each_other(kind):
    values = list(parse_space({"x": DOMAINS[kind]}).domains["x"].values(9))
    found = distances(DOMAINS[kind], [None, *values])
    assert found[0, 1:] == pytest.approx(1)
    if kind in ("two", "three"):
        assert found == pytest.approx(1 - np.eye(len(values) + 1))
    elif kind != "int":  # its ends lie half a value within those of its scale
        assert found[1, -1] == pytest.approx(1)


def test_on_the_arc_distances_are_nearly_those_on_the_scale():
    grid = np.linspace(0, 1, 41)
    found = distances(UNIT, grid.tolist())
    assert np.abs(found - np.abs(grid[:, None] - grid)).max() < 0.0182


def test_what_depends_on_gates_alone_has_no_column():
    one = {"type": "choice", "values": [True], "when": {"gate": "on"}}
    encoding = Encoding(parse_space({"gate": GATE, "x": one}))
    assert (encoding.dimension, encoding.groups.tolist()) == (1, [0])
    assert encoding.encode([{"gate": "on", "x": True}, {"gate": "off"}]).tolist() == [[0.0], [1.0]]


@st.composite
def spaces(draw):
    """A few gates, and hyperparameters of every kind behind them, some of which are gates themselves."""
    spec = {"g0": {"type": "choice", "values": ["a", "b", "c"]}, "g1": {"type": "int", "lower": 1, "upper": 4}}
    for index in range(draw(st.integers(1, 6))):
        gates = draw(st.sampled_from([["g0", "g1"], *([name] for name in spec)]))
        when = {}
        for gate in gates:
            if spec[gate]["type"] == "int":
                when[gate] = {"lower": draw(st.integers(1, 4))}
            elif "values" in spec[gate]:
                when[gate] = draw(st.lists(st.sampled_from(spec[gate]["values"]), unique=True, min_size=1))
        kind = draw(st.sampled_from([*DOMAINS]))
        if when:
            spec[f"x{index}"] = {**DOMAINS[kind], "when": when}
    return spec


@given(spaces(), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
def test_no_kernel_has_a_negative_eigenvalue_whatever_is_used(spec, seed):
    space = parse_space(spec)
    rng = np.random.default_rng(seed)
    encoding = Encoding(space)
    x = encoding.encode([space.sample(rng) for _ in range(60)])
    kernel = Kernel(np.exp(rng.normal(0, 1.5, encoding.dimension)), 1.0, 1.0, np.array([1e-3]))
    places = kernel.place(Inputs(x, np.zeros(60), np.zeros(60, dtype=np.intp)), encoding.groups)
    covariance = kernel.covariance(places, places)
    assert np.linalg.eigvalsh((covariance + covariance.T) / 2).min() > -1e-9


def test_two_configurations_are_at_distance_zero_only_where_they_are_the_same():
    space = parse_space(
        {
            "g": GATE,
            "n": {"type": "int", "lower": 1, "upper": 3, "when": {"g": "on"}},
            "x": {**DOMAINS["two"], "when": {"n": 2}},
        }
    )
    everything = list(space.enumerate())
    rows = Encoding(space).encode(everything)
    assert len(everything) == 5
    for one, other in itertools.combinations(range(5), 2):
        assert np.linalg.norm(rows[one] - rows[other]) > 0.2
