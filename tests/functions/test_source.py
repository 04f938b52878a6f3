"""An objective that belongs to no module goes by its source, with what it needs, or one sentence says why not."""

import json
import os.path as paths
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hpo.errors import ConfigError
from hpo.functions.function_process import load
from hpo.functions.source import LONGEST, module_of, source_of
from hpo.reporting import report as tell

RATE = 0.5
TABLE = {"a": [1, 2], "b": (None, True)}
DATA = list(range(LONGEST))
ARRAY = np.zeros(3)


def helper(x):
    return other(x) + RATE


def other(x):
    return x * TABLE["a"][1]


class Model:
    """One that another method uses."""

    width = 3
    double = width * 2

    def size(self):
        return self.width + self.double


def as_in_a_notebook(function):
    """The same function, whose module nobody can import."""
    for thing in (helper, other, Model, function):
        thing.__module__ = "__main__"
    return function


@pytest.fixture(autouse=True)
def modules_stay():
    before = {thing: thing.__module__ for thing in (helper, other, Model)}
    yield
    for thing, module in before.items():
        thing.__module__ = module


def result_of(function, tmp_path, *arguments):
    path = tmp_path / "objective.py"
    path.write_text(source_of(function))
    return load({"file": str(path), "module": None, "name": function.__name__, "base": str(tmp_path)})(*arguments)


def test_modules_constants_functions_and_classes_that_it_uses_come_along(tmp_path):
    def objective(config: "Path", report):
        return json.dumps([helper(config["x"]), float(np.sqrt(4)), paths.sep, Model().size(), TABLE["b"][1]])

    assert result_of(as_in_a_notebook(objective), tmp_path, {"x": 2}, None) == '[4.5, 2.0, "/", 9, true]'


def test_what_is_imported_by_name_is_imported_again(tmp_path):
    def objective(config, report):
        return Path("a") / "b", tell.__name__

    assert result_of(as_in_a_notebook(objective), tmp_path, {}, None) == (Path("a/b"), "report")


def test_what_a_closure_has_of_plain_values_comes_along(tmp_path):
    scale = 3

    def objective(config, report):
        return config["x"] * scale

    assert result_of(as_in_a_notebook(objective), tmp_path, {"x": 2}, None) == 6


def test_a_function_that_calls_itself_is_no_endless_matter(tmp_path):
    def objective(config, report):
        return 1 if config["x"] == 0 else objective({"x": config["x"] - 1}, report) * 2

    text = source_of(as_in_a_notebook(objective))
    assert text.count("def objective") == 1


def uses_an_array(config, report):
    return ARRAY.sum()


def uses_much_data(config, report):
    return DATA[0]


def uses_nothing_known(config, report):
    return undefined_name  # noqa: F821


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (uses_an_array, "it uses ARRAY, a ndarray of this session"),
        (uses_much_data, "it uses DATA, a list of this session"),
        (uses_nothing_known, "it uses undefined_name, which is not defined"),
        (lambda *given: given, "give a function that is defined by def"),
        (Model(), "give a function that is defined by def"),
    ],
)
def test_what_another_process_cannot_have_is_one_sentence(function, words):
    with pytest.raises(ConfigError) as caught:
        source_of(function)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_function_without_source_is_one_sentence():
    namespace: dict = {}
    exec("def objective(config, report):\n    return 1", namespace)
    with pytest.raises(ConfigError, match="source of objective cannot be read"):
        source_of(namespace["objective"])


def test_a_function_of_a_module_is_named_and_others_are_not(monkeypatch):
    module = ModuleType("mine")
    monkeypatch.setitem(sys.modules, "mine", module)
    exec("def objective(config, report):\n    def inner(): pass\n    return inner", module.__dict__)
    assert module_of(module.objective) == "mine:objective"
    assert module_of(module.objective(None, None)) is None
    assert module_of(as_in_a_notebook(uses_an_array)) is None
