"""The best result in a remote console: what is written is what the regexes read, and nothing else is."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.config.reading import load_config
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Kind
from hpo.sagemaker.tuning_metrics import MOST_DEFINITIONS, TuningMetrics, definitions, line, metric_names

FLOAT = {"type": "float", "lower": 0.0, "upper": 1.0}
SPACE = {
    "lr": FLOAT,
    "layers": {"type": "int", "lower": 1, "upper": 9},
    "act": {"type": "choice", "values": ["relu", "tanh", True]},
    "width": {"type": "ordinal", "values": [32, 64]},
    "epochs": 9,
}


def config(space=SPACE, mode="max"):
    content = {
        "name": "b",
        "script": "t.py",
        "metric": "acc",
        "mode": mode,
        "resource_attr": "epoch",
        "config_space": space,
    }
    return load_config(content, "RS", random_seed=0)


def read(made, text):
    """What the service would make of a line."""
    found = {d["Name"]: re.search(d["Regex"], text) for d in made}
    return {name: float(match[1]) for name, match in found.items() if match}


def events(value, configuration):
    body = {"configuration": configuration, "until": None}
    yield Event(Kind.STARTED, 0.0, 0.0, 0, 0, None, body)
    yield Event(Kind.REPORTED, 1.0, 1.0, 0, 0, 3, {"metrics": {"acc": value}, "position": 1, "decision": "CONTINUE"})


def written(capsys, value, configuration, space=SPACE, mode="max"):
    made = config(space, mode)
    state = ExperimentState(Objective("acc", mode, "epoch"))
    callback = TuningMetrics(made, "abc")
    callback.on_open(state)
    for event in events(value, configuration):
        state.apply(event)
        callback.on_event(event)
    return read(definitions(made, "abc"), capsys.readouterr().out)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("value", [0.9123, -3, 1e-05, 1.5e300, -2.5e-17, 0, 10**20, 12.5])
def test_the_regexes_read_what_the_callback_writes(capsys, value, mode):
    configuration = {"lr": 1e-05, "layers": 7, "act": "tanh", "width": 64}
    assert written(capsys, value, configuration, mode=mode) == {
        "best_metric_value": value,
        "best_trial_id": 0,
        "best_resource_value": 3,
        "best_hp_lr": 1e-05,
        "best_hp_layers": 7,
        "best_hp_act": 1,
        "best_hp_width": 64,
    }


def test_a_value_of_a_choice_that_is_no_number_shows_as_its_index(capsys):
    assert written(capsys, 1.0, {"lr": 0.5, "layers": 1, "act": True, "width": 32})["best_hp_act"] == 2


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_never_shown(capsys, value):
    assert written(capsys, value, {"lr": 0.5, "layers": 1, "act": "relu", "width": 32}) == {}
    assert line({"best_metric_value": value, "best_trial_id": 0}, "n") == "[hpo n] best_trial_id=0"


def test_a_line_comes_with_improvements_only_and_when_an_experiment_is_resumed(capsys):
    made = config()
    state = ExperimentState(Objective("acc", "max", "epoch"))
    for event in events(0.5, {"lr": 0.5, "layers": 1, "act": "relu", "width": 32}):
        state.apply(event)
    callback = TuningMetrics(made, "abc")
    callback.on_open(state)
    assert capsys.readouterr().out.count("best_metric_value=0.5 ") == 1
    callback.on_event(list(events(0.4, {}))[1])
    assert capsys.readouterr().out == ""


SOME = [d for d in definitions(config(), "abc") if d["Name"] == "best_metric_value"]


@given(value=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**200), 2**200))
def test_every_finite_number_is_read_back_exactly(value):
    assert read(SOME, line({"best_metric_value": value, "best_trial_id": 1}, "abc"))["best_metric_value"] == float(
        value
    )


def test_another_experiment_s_line_or_text_that_looks_like_one_is_not_read():
    made = definitions(config(), "1f3a9c2e")
    for text in (
        "best_metric_value=1",
        "[hpo] best_metric_value=1 best_hp_lr=3",
        "[hpo 00000000] best_metric_value=1",
        '[tune-metric]: {"best_metric_value": 1}',
        "[hpo 1f3a9c2e]best_metric_value=1",
        "[hpo 1f3a9c2e] xbest_metric_value=1",
    ):
        assert read(made, text) == {}


@given(names=st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=60, unique=True))
@pytest.mark.long
def test_odd_names_and_many_of_them_still_make_definitions_that_fit(names):
    made = config({name: FLOAT for name in names})
    found = definitions(made, "abcd1234")
    assert len(found) <= MOST_DEFINITIONS
    assert len({d["Name"] for d in found}) == len(found)
    values = {name: float(i) for i, name in enumerate(metric_names(made).values())}
    read_back = read(found, line({"best_metric_value": -1.0, **values}, "abcd1234"))
    assert read_back == {"best_metric_value": -1.0, **values}
    for definition in found:
        assert 1 <= len(definition["Name"]) <= 255
        assert 1 <= len(definition["Regex"]) <= 500
        assert re.compile(definition["Regex"]).groups == 1
