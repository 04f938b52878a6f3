"""Search spaces: YAML in, configurations out, and an error that names the key for everything else."""

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from hpo.errors import ConfigError
from hpo.space.domains import LOG, REVERSE_LOG, Choice, Float, Integer
from hpo.space.search_space import SearchSpace, mixed_radix, parse_space

YAML = {
    "lr": {"type": "float", "lower": 1e-4, "upper": 1, "log": True},
    "layers": {"type": "int", "lower": 1, "upper": 4},
    "units": {"type": "int", "lower": 16, "upper": 64, "step": 16},
    "width": {"type": "ordinal", "values": [32, 64, 128]},
    "act": {"type": "choice", "values": ["relu", "tanh"]},
    "momentum": {"type": "float", "lower": 0.5, "upper": 0.999, "reverse_log": True},
    "dropout": {"type": "float", "lower": 0.0, "upper": 0.9, "step": 0.1},
    "optimizer": "adam",
    "nesterov": True,
    "shape": "(3, 3)",
    "norm": "relu()",
    "nothing": None,
}


def test_every_kind_of_domain_is_parsed():
    space = parse_space(YAML)
    assert space.domains == {
        "lr": Float(1e-4, 1.0, LOG),
        "layers": Integer(1, 4),
        "units": Integer(16, 64, step=16),
        "width": Choice((32, 64, 128), ordered=True),
        "act": Choice(("relu", "tanh")),
        "momentum": Float(0.5, 0.999, REVERSE_LOG),
        "dropout": Float(0.0, 0.9, step=0.1),
    }
    assert list(space.domains) == [name for name in YAML if isinstance(YAML[name], dict)]
    assert len(space) == 7


def test_what_is_no_mapping_is_a_constant():
    assert parse_space(YAML).constants == {
        "optimizer": "adam", "nesterov": True, "shape": "(3, 3)", "norm": "relu()", "nothing": None
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "instead"),
    [
        ([0.1, 0.9], {"type": "float", "lower": 0.1, "upper": 0.9}),
        ([0.1, 1e-5], {"type": "float", "lower": 1e-5, "upper": 0.1}),
        ([64, 16], {"type": "int", "lower": 16, "upper": 64}),
        ((16, 32, 64), {"type": "choice", "values": [16, 32, 64]}),
        (["relu", "tanh"], {"type": "choice", "values": ["relu", "tanh"]}),
        ([math.nan, 1.0], None),
        ([], {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True}),
        ("loguniform(1e-4, 1)", {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True}),
        ("tune.choice(['a', 'b'])", {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True}),
    ],
    ids=str,
)
def test_a_hyperparameter_in_another_tool_s_notation_is_no_constant(spec, instead):
    with pytest.raises(
        ConfigError, match=r"config_space\.x=.*to tune it write \{type: .*benchmark\.arguments"
    ) as error:
        parse_space({"x": spec, "y": GOOD})
    assert "\n" not in str(error.value)
    if instead is not None:  # what it says to write is what YAML reads so, and a domain
        example = OmegaConf.create(re.search(r"write (\{.*?\})", str(error.value))[1])
        assert example == instead
        parse_space({"x": OmegaConf.to_container(example)})


@pytest.mark.parametrize(
    ("spec", "example"),
    [
        ({"choice": [1, 2]}, "x: {type: choice, values: [1, 2]}"),
        ({"type": "categorical", "choices": ["a"]}, "x: {type: choice, values: ['a']}"),
        ({"min": 0, "max": 1}, "x: {type: float, lower: 1.0e-4, upper: 1.0, log: true}"),
        ({"type": "randint", "lower": 0, "upper": 1}, "x: {type: int, lower: 1, upper: 9}"),
    ],
)
def test_a_missing_or_unknown_type_comes_with_an_example(spec, example):
    with pytest.raises(
        ConfigError, match=r"config_space\.x\.type=.*: use one of float, int, choice, ordinal, as in"
    ) as error:
        parse_space({"x": spec})
    assert str(error.value).endswith(example)


def test_a_long_list_is_shortened_in_the_message():
    with pytest.raises(ConfigError) as error:
        parse_space({"x": list(range(10_000)), "y": GOOD})
    assert len(str(error.value)) < 700


def test_parsing_leaves_its_argument_alone():
    before = repr(YAML)
    parse_space(YAML)
    assert repr(YAML) == before


HUGE = 10**400
GOOD = {"type": "float", "lower": 0.1, "upper": 0.5}


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"lower": 0, "upper": 1}, "config_space.x.type=None"),
        ({"type": "uniform", "lower": 0, "upper": 1}, "config_space.x.type='uniform'"),
        ({"type": ["float"], "lower": 0, "upper": 1}, "config_space.x.type"),
        ({"type": {}, "lower": 0, "upper": 1}, "config_space.x.type"),
        ({**GOOD, "lgo": True}, "config_space.x.lgo"),
        ({"type": "int", "lower": 0, "upper": 1, "reverse_log": True}, "config_space.x.reverse_log"),
        ({"type": "choice", "values": [1], "lower": 0}, "config_space.x.lower"),
        ({"type": "float", "upper": 1}, "config_space.x.lower=None"),
        ({"type": "int", "lower": 1}, "config_space.x.upper=None"),
        ({**GOOD, "lower": "1e-4"}, "config_space.x.lower='1e-4'.*1.0e-4"),
        ({**GOOD, "lower": True}, "config_space.x.lower=True"),
        ({**GOOD, "lower": math.nan}, "config_space.x.lower=nan"),
        ({**GOOD, "upper": math.inf}, "config_space.x.upper=inf"),
        ({**GOOD, "upper": [1]}, "config_space.x.upper"),
        ({**GOOD, "upper": HUGE}, "config_space.x.upper"),
        ({"type": "int", "lower": 1, "upper": 2.0}, "config_space.x.upper=2.0"),
        ({"type": "int", "lower": 1, "upper": HUGE}, "config_space.x.upper"),
        ({"type": "int", "lower": 3, "upper": 2}, "config_space.x.*lower=3.*upper=2"),
        ({**GOOD, "step": 0}, "config_space.x.step=0"),
        ({**GOOD, "step": -0.1}, "config_space.x.step=-0.1"),
        ({**GOOD, "step": "0.1"}, "config_space.x.step='0.1'"),
        ({"type": "int", "lower": 1, "upper": 2, "step": 0.5}, "config_space.x.step=0.5"),
        ({**GOOD, "log": "yes"}, "config_space.x.log='yes'"),
        ({**GOOD, "log": 1}, "config_space.x.log=1"),
        ({**GOOD, "log": True, "reverse_log": True}, "config_space.x.*exclude"),
        ({**GOOD, "lower": 0.0, "log": True}, "config_space.x.lower=0"),
        ({"type": "int", "lower": 0, "upper": 8, "log": True}, "config_space.x.lower=0"),
        ({"type": "int", "lower": 4, "upper": 64, "log": True, "step": 8}, "config_space.x.lower=4"),
        ({**GOOD, "upper": 1.0, "reverse_log": True}, "config_space.x.*reverse_log"),
        ({**GOOD, "lower": -0.1, "reverse_log": True}, "config_space.x.*reverse_log"),
        ({"type": "choice"}, "config_space.x.values=None"),
        ({"type": "choice", "values": []}, r"config_space.x.values=\[\]"),
        ({"type": "choice", "values": "abc"}, "config_space.x.values='abc'"),
        ({"type": "ordinal", "values": 3}, "config_space.x.values=3"),
        ({"type": "choice", "values": [1, 2, 1]}, "config_space.x.values.*1 is listed twice"),
        ({"type": "choice", "values": [[1, 2]]}, "config_space.x.values"),
        ({"type": "choice", "values": [{"a": 1}]}, "config_space.x.values"),
        ({"type": "choice", "values": [0.1, math.nan]}, "config_space.x.values"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_wrong_domain_is_an_error_that_names_the_key(spec, named):
    with pytest.raises(ConfigError, match=named):
        parse_space({"x": spec})


def test_a_step_of_null_is_no_step():
    assert parse_space({"x": {**GOOD, "step": None}}).domains["x"] == Float(0.1, 0.5)
    space = parse_space({"x": {"type": "int", "lower": 1, "upper": 8, "log": True, "step": None}})
    assert space.domains["x"] == Integer(1, 8, LOG)


@pytest.mark.parametrize("config_space", [{}, {"lr": 0.1}])
def test_a_space_of_constants_alone_is_an_error(config_space):
    with pytest.raises(ConfigError, match="config_space has no hyperparameter"):
        parse_space(config_space)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10), st.floats(-2, 10), st.sampled_from([math.nan, math.inf, "a", "1e-3"])
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.sampled_from("ab"), SCALARS, max_size=1))
KEYS = st.sampled_from(["lower", "upper", "log", "reverse_log", "step", "values", "other"])
KINDS = st.one_of(st.sampled_from(["float", "int", "choice", "ordinal"]), VALUES)


@given(KINDS, st.dictionaries(KEYS, VALUES, max_size=5))
@settings(deadline=None, max_examples=400)
def test_any_yaml_is_a_domain_or_an_error_that_names_the_key(kind, rest):
    try:
        space, complaint = parse_space({"x": {"type": kind, **rest}}), ""
    except ConfigError as error:
        space, complaint = None, str(error)
    if space is None:
        assert complaint.startswith("config_space.x")
    else:
        assert space.default["x"] in space.domains["x"]
        assert space.domains["x"].decode(0.3) in space.domains["x"]


@st.composite
def finite_spaces(draw):
    kinds = draw(st.lists(st.sampled_from(["choice", "int", "log_int", "stepped"]), min_size=1, max_size=3))
    spec, axes = {}, []
    for index, kind in enumerate(kinds):
        size = draw(st.integers(1, 5))
        name = f"h{index}"
        if kind == "choice":
            axes.append(list("abcde"[:size]))
            spec[name] = {"type": "choice", "values": axes[-1]}
        elif kind == "stepped":
            axes.append([0.5 + 0.25 * i for i in range(size)])
            rest = draw(st.sampled_from([0.0, 0.2]))
            log = draw(st.booleans())
            spec[name] = {"type": "float", "lower": 0.5, "upper": axes[-1][-1] + rest, "step": 0.25, "log": log}
        else:
            axes.append(list(range(3, 3 + size)))
            spec[name] = {"type": "int", "lower": 3, "upper": 2 + size, "log": kind == "log_int"}
    return spec, axes


@given(finite_spaces())
@settings(deadline=None, max_examples=100)
def test_a_finite_space_enumerates_each_of_its_configurations_once(pair):
    spec, axes = pair
    space = parse_space(spec)
    expected = [dict(zip(spec, values, strict=True)) for values in itertools.product(*axes)]
    assert list(space.enumerate()) == expected
    assert space.size == len(expected)


def test_the_size_of_a_continuous_space_is_infinite():
    assert parse_space(YAML).size == math.inf
    assert parse_space({"x": {**GOOD, "lower": 0.5}, "n": YAML["layers"]}).size == 4


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data())
@settings(deadline=None, max_examples=50)
def test_mixed_radix_counts_through_a_product(sizes, data):
    axes = [range(size) for size in sizes]
    index = data.draw(st.integers(0, math.prod(sizes) - 1))
    assert mixed_radix(index, axes) == list(list(itertools.product(*axes))[index])


def test_the_default_is_the_centre_of_every_domain():
    space = parse_space(YAML)
    assert space.default == {
        "lr": pytest.approx(1e-2),
        "layers": space.domains["layers"].default,
        "units": space.domains["units"].default,
        "width": 64,
        "act": "relu",
        "momentum": pytest.approx(1 - math.sqrt(0.5 * 0.001)),
        "dropout": pytest.approx(0.4, abs=0.1001),
    }
    assert space.default["layers"] in (2, 3)


def test_a_sample_takes_one_number_per_domain():
    space = parse_space({"x": {"type": "float", "lower": 0.0, "upper": 1.0}, "y": GOOD})
    drawn, units = space.sample(np.random.default_rng(3)), np.random.default_rng(3).random(2)
    assert drawn["x"] == pytest.approx(units[0])
    assert drawn["y"] == pytest.approx(0.1 + 0.4 * units[1])


def test_decoding_needs_as_many_numbers_as_there_are_domains():
    with pytest.raises(ValueError, match="zip"):
        parse_space(YAML).decode([0.5])


def test_a_point_is_completed_by_defaults():
    space = parse_space(YAML)
    point = space.complete({"act": "tanh", "lr": 1}, "points_to_evaluate[0]")
    assert point == {**space.default, "act": "tanh", "lr": 1}
    assert list(point) == list(space.domains)
    assert space.complete({}, "p") == space.default


@pytest.mark.parametrize(
    ("point", "named"),
    [
        ({"momentumm": 0.9}, r"points_to_evaluate\[2\]: 'momentumm' is not in config_space \(lr, layers"),
        ({"optimizer": "adam"}, r"points_to_evaluate\[2\]: 'optimizer'"),
        ({"layers": 5}, r"points_to_evaluate\[2\]: layers=5"),
        ({"layers": 2.0}, r"points_to_evaluate\[2\]: layers=2.0"),
        ({"act": "sigmoid"}, r"points_to_evaluate\[2\]: act='sigmoid'"),
        ({"lr": "0.1"}, r"points_to_evaluate\[2\]: lr='0.1'"),
        ({"lr": None}, r"points_to_evaluate\[2\]: lr=None"),
    ],
)
def test_a_point_outside_the_space_is_an_error_that_names_it(point, named):
    with pytest.raises(ConfigError, match=named):
        parse_space(YAML).complete(point, "points_to_evaluate[2]")


def test_a_point_outside_a_domain_is_answered_with_the_domain_and_the_key_to_change():
    with pytest.raises(
        ConfigError, match=r"lr=5 is outside its domain .* to .*; use .* or change benchmark\.config_space\.lr$"
    ):
        parse_space(YAML).complete({"lr": 5}, "points_to_evaluate[0]")


def test_every_value_that_a_space_gives_can_be_given_back_as_a_point():
    space = parse_space(YAML)
    rng = np.random.default_rng(0)
    for _ in range(200):
        configuration = space.sample(rng)
        assert space.complete(configuration, "p") == configuration


def test_a_space_is_made_of_domains():
    space = SearchSpace({"a": Choice(("p", "q"))})
    assert space.constants == {}
    assert [space.grid(1).at(index) for index in range(2)] == [{"a": "p"}, {"a": "q"}]


@pytest.mark.parametrize("upper", [1e308, 1e16])
def test_a_step_that_double_precision_cannot_tell_apart_is_one_sentence(upper):
    with pytest.raises(ConfigError, match=r"x\.step=0\.1: there are more than 1e\+15"):
        parse_space({"x": {"type": "float", "lower": 0.0, "upper": upper, "step": 0.1}})
