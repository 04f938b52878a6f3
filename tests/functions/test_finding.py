"""A function is found by its name in a configuration, and nothing is imported for that."""

import sys
from importlib.util import spec_from_file_location

import pytest

from hpo.errors import ConfigError
from hpo.functions.finding import find_function

LOUD = "raise SystemExit('it was imported')\n"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pack" / "part").mkdir(parents=True)
    (tmp_path / "pack" / "__init__.py").write_text(LOUD)
    (tmp_path / "pack" / "part" / "__init__.py").write_text(LOUD + "objective = make()\n")
    (tmp_path / "pack" / "mod.py").write_text(
        LOUD + "from other import tool as instrument\nif True:\n    def objective(c, r): pass\nclass K: pass\n"
    )
    (tmp_path / "train.py").write_text("def objective(config, report): pass\n")
    return tmp_path


@pytest.mark.parametrize(
    ("target", "file", "module"),
    [
        ("pack.mod:objective", "pack/mod.py", "pack.mod"),
        ("pack.mod:instrument", "pack/mod.py", "pack.mod"),
        ("pack.part:objective", "pack/part/__init__.py", "pack.part"),
        ("train:objective", "train.py", "train"),
        ("train.py:objective", "train.py", None),
    ],
)
def test_by_module_or_by_file(place, target, file, module):
    found = find_function(target, place / "experiment")
    assert (found.file, found.module, found.base) == (str(place / file), module, str(place))
    assert found.name == target.rpartition(":")[2]


def test_a_module_is_imported_from_the_folder_on_pythons_path_that_has_it(place, monkeypatch):
    (place / "src" / "lab" / "deep").mkdir(parents=True)  # without __init__.py
    (place / "src" / "lab" / "deep" / "train.py").write_text("def objective(config, report): pass\n")
    monkeypatch.syspath_prepend(place / "src")
    assert find_function("lab.deep.train:objective", place).base == str(place / "src")


class Editable:
    """What a package that is installed from where it is edited puts among Python's finders."""

    def __init__(self, file):
        self.file = file

    def find_spec(self, name, path=None, target=None):
        return spec_from_file_location(name, self.file) if name == "edited" else None


def test_a_package_that_is_installed_from_where_it_is_edited_is_found(place, monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Editable(str(place / "pack" / "mod.py"))])
    found = find_function("edited:objective", place)
    assert (found.file, found.base) == (str(place / "pack" / "mod.py"), str(place / "pack"))


def test_a_file_of_the_name_of_a_stored_source_is_found_where_there_is_none(place):
    (place / "objective.py").write_text("def f(config, report): pass\n")
    assert find_function("objective.py:f", place / "experiment").file == str(place / "objective.py")


def test_the_source_that_an_experiment_keeps_is_found_in_its_directory(place):
    (place / "experiment").mkdir()
    (place / "experiment" / "objective.py").write_text("def f(config, report): pass\n")
    assert find_function("objective.py:f", place / "experiment").file == str(place / "experiment/objective.py")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("pack.mod", "name a module and its function"),
        ("pack.mod:a.b", "name a module and its function"),
        ("pack.none:objective", "there is no module pack.none"),
        ("nothing.at.all:objective", "there is no module nothing"),
        ("pack.mod:objectiv", "did you mean objective?"),
        ("none.py:objective", "there is no file"),
        ("numpy._core._multiarray_umath:x", "not a Python module of source code"),
    ],
)
def test_what_is_not_there_is_one_sentence(place, target, words):
    with pytest.raises(ConfigError) as caught:
        find_function(target, place)
    assert str(caught.value).startswith(f"benchmark.function={target}: ")
    assert words in str(caught.value)


def test_a_file_that_is_no_python_is_one_sentence(place):
    (place / "broken.py").write_text("def objective(:\n")
    with pytest.raises(ConfigError, match=r"broken\.py is not valid Python"):
        find_function("broken.py:objective", place)
