"""Search spaces that are written as mappings, in both dialects, and by functions that suggest values to a trial."""

import sys

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import CompactHydraException
from hydra_plugins.hydra_hpo_sweeper._search_space import call_custom, read_space
from omegaconf import OmegaConf

from hpo.space.search_space import parse_space

FUNCTIONS = """
def configure(config, trial):
    trial.suggest_float("lr", 1e-4, config.most, log=True)
    trial.suggest_int("+layers", 1, 8, step=2)
    trial.suggest_categorical("act", ["relu", "tanh"])
    trial.suggest_uniform("x", 0, 1)
    trial.suggest_discrete_uniform("y", 0, 1, 0.25)

def by_params(config, trial):
    trial.suggest_float("z", trial.params["x"] - 1, 3)

def by_value(config, trial):
    if trial.suggest_categorical("optimizer", ["sgd", "adam"]) == "sgd":
        trial.suggest_float("momentum", 0, 1)

def by_sum(config, trial):
    trial.suggest_float("w", 0, 1 + trial.suggest_float("v", 0, 1))
"""


@pytest.mark.parametrize(
    ("spec", "domain"),
    [
        ({"type": "float", "low": 0, "high": 1}, {"type": "float", "lower": 0, "upper": 1}),
        ({"type": "float", "low": 1e-4, "high": 1, "log": True}, {"type": "float", "lower": 1e-4, "upper": 1, "log": True}),
        ({"type": "float", "low": 0.0, "high": 1.1, "step": 0.25},
         {"type": "float", "lower": 0.0, "upper": 1.0, "step": 0.25}),
        ({"type": "int", "low": 1, "high": 8, "step": 3}, {"type": "int", "lower": 1, "upper": 7, "step": 3}),
        ({"type": "categorical", "choices": ["a", 1, None]}, {"type": "choice", "values": ["a", 1, None]}),
        ({"type": "ordinal", "values": [8, 16]}, {"type": "ordinal", "values": [8, 16]}),
        ({"type": "float", "lower": 0.0, "upper": 1.0, "when": {"act": "relu"}},
         {"type": "float", "lower": 0.0, "upper": 1.0, "when": {"act": "relu"}}),
    ],
)  # fmt: skip
def test_a_mapping_is_a_domain_in_the_words_of_optuna_or_of_hpo(spec, domain):
    [found] = read_space({"x": spec})
    assert (found.name, found.key, found.domain) == ("x", "x", domain)
    parse_space({"act": {"type": "choice", "values": ["relu", "elu"]}, "x": domain})  # one that hpo takes


def test_lists_in_a_choice_reach_the_app_as_they_were_written():
    [found] = read_space({"+sizes": {"type": "categorical", "choices": [[[8, 4], [4, 8]], [["it's", 1]]]}})
    assert (found.name, found.domain["argument"], found.domain["values"]) == ("sizes", "+sizes=", list(found.texts))
    parsed = [OverridesParser.create().parse_override(f"x={text}").value() for text in found.texts]
    assert parsed == [[[8, 4], [4, 8]], [["it's", 1]]]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("interval(0,1)", r"search_space\.x=interval\(0,1\): write a mapping, .* belong to hydra\.sweeper\.params"),
        ({"type": "flaot", "low": 0, "high": 1}, r"search_space\.x\.type=flaot: .*did you mean float"),
        ({"type": "float", "low": 0, "high": "b"}, r"search_space\.x\.high=b: write a number"),
        ({"type": "int", "low": 0}, r"search_space\.x\.high=None: write a number"),
        ({"type": "float", "low": 0, "high": 1, "base": 2}, r"search_space\.x\.base=2: .* has low, high, log, step"),
        ({"type": "categorical", "choices": []}, r"search_space\.x\.choices=\[\]: write a list"),
    ],
)
def test_a_mapping_that_is_no_distribution_is_one_sentence(spec, sentence):
    with pytest.raises(CompactHydraException, match=sentence):
        read_space({"x": spec})


@pytest.fixture
def functions(tmp_path, monkeypatch):
    (tmp_path / "suggestions_of_mine.py").write_text(FUNCTIONS)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "suggestions_of_mine"
    sys.modules.pop("suggestions_of_mine", None)


def test_a_function_that_suggests_values_is_asked_once(functions):
    found = read_space(call_custom(f"{functions}.configure", OmegaConf.create({"most": 0.1})))
    assert {hyperparameter.key: hyperparameter.domain for hyperparameter in found} == {
        "lr": {"type": "float", "lower": 1e-4, "upper": 0.1, "log": True},
        "+layers": {"type": "int", "lower": 1, "upper": 7, "step": 2, "argument": "+layers"},
        "act": {"type": "choice", "values": ["relu", "tanh"]},
        "x": {"type": "float", "lower": 0.0, "upper": 1.0},
        "y": {"type": "float", "lower": 0.0, "upper": 1.0, "step": 0.25},
    }


@pytest.mark.parametrize(
    ("function", "what"),
    [("by_params", r"trial\.params"), ("by_value", "the value of optimizer"), ("by_sum", "the value of v")],
)
def test_a_function_whose_suggestions_depend_on_others_is_told_how_to_write_conditions(functions, function, what):
    with pytest.raises(CompactHydraException, match=rf"{function}: it reads {what}, .* when: "):
        call_custom(f"{functions}.{function}", OmegaConf.create({}))


@pytest.mark.parametrize("name", ["nowhere.f", "f", "sys.nothing"])
def test_a_function_that_is_not_there_is_one_sentence(name):
    with pytest.raises(CompactHydraException, match=rf"custom_search_space={name}: .*package\.module\.function"):
        call_custom(name, OmegaConf.create({}))
