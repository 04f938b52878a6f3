"""Imports point one way, third-party packages stay where they belong, and modules stay small."""

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import hpo

PACKAGE = Path(hpo.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
TESTS = Path(__file__).parent

FLOORS = [
    {"", "errors", "randomness", "reporting"},
    {"events", "host", "functions"},
    {"space", "store"},
    {"config", "surrogate", "checkpoint"},
    {"warm_start", "searchers", "results", "tables", "trackers", "proposing", "integrations"},
    {"schedulers", "backends", "exporting"},
    {"tuner", "history", "ray"},
    {"experiment", "watching", "checking", "analysis", "steering"},
    {"launchers", "figures"},
    {"remote", "reports", "confirmation", "slurm", "sagemaker"},
    {"planning", "serve"},
    {"cli"},
    {"__main__"},
]
"""From the bottom up; "" is the package itself. A module imports only what lies on a floor below its own, or in its room."""

FLOOR = {name: number for number, floor in enumerate(FLOORS) for name in floor}

ALLOWED = {
    "hydra": {"cli", "config", "integrations"},
    "omegaconf": {"cli", "config", "integrations"},
    "torch": {"checkpoint", "searchers"},
    "sklearn": {"searchers", "surrogate"},
    "botorch": {"searchers"},
    "gpytorch": {"searchers"},
    "yaml": {"config", "tables"},
    "boto3": {"sagemaker"},
    "botocore": {"sagemaker"},
    "sagemaker": {"sagemaker"},
    "submitit": {"slurm"},
    "ray": {"ray"},
    "obstore": {"ray"},
    "numpy": {
        "analysis",
        "confirmation",
        "exporting",
        "figures",
        "history",
        "randomness",
        "results",
        "searchers",
        "space",
        "surrogate",
        "tables",
    },
    "pandas": {"analysis", "exporting", "results"},
    "threadpoolctl": {"surrogate"},
    "scipy": {"analysis", "confirmation", "searchers", "surrogate", "tables"},
    "matplotlib": {"figures"},
    "rich": {"watching"},
    "click": {"cli"},
    "filelock": {"store"},
    "tomli_w": {"config"},
    "inotify_simple": {"store"},
    "pynvml": {"backends"},
    "optuna": {"exporting"},
    "pyarrow": {"exporting"},
    "starlette": {"serve"},
    "uvicorn": {"serve"},
    "h11": {"serve"},
    "lightning": {"integrations"},
    "pytorch_lightning": {"integrations"},
    "transformers": {"integrations"},
    "safetensors": {"integrations"},
    "keras": {"integrations"},
    "xgboost": {"integrations"},
    "lightgbm": {"integrations"},
    "skops": {"integrations"},
}
"""Third-party packages, and the rooms that may import them."""


def room(path: Path) -> str:
    """The module or package directly under hpo/ that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def module_of(path: Path) -> str:
    """The dotted name of a file."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Everything in a file."""
    return tuple(ast.walk(ast.parse(path.read_text())))


@cache
def imported(path: Path) -> frozenset[str]:
    """Dotted names of what a file imports: at the top, inside functions, and for type checkers."""
    names: set[str] = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def modules_imported(path: Path) -> set[str]:
    """The modules of hpo that a file imports."""
    found = set()
    for name in imported(path):
        if name.partition(".")[0] == "hpo":
            found.add(name if name in MODULES else name.rpartition(".")[0])
    return found


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] if "." in name else "" for name in modules_imported(path)}


def told(path: Path) -> str:
    """A file as a message names it."""
    return str(path.relative_to(PACKAGE.parent))


class TestEveryModule:
    """What holds for each file of the package. One test for all of them, which names those that break it."""

    def test_imports_point_down(self):
        wrong = {
            told(path): f"{room(path)} may not import {other}"
            for path in FILES
            if room(path)  # not the package's face, which loads what it names on first use
            for other in rooms_imported(path) - {room(path)}
            if FLOOR[other] >= FLOOR[room(path)]
        }
        assert not wrong

    def test_inside_a_room_nobody_imports_from_its_face(self):
        wrong = set()
        for path in FILES:
            faces = {module_of(parent / "__init__.py") for parent in path.parents if parent.is_relative_to(PACKAGE)}
            if path.name != "__init__.py" and (faces - {"hpo"}) & modules_imported(path):
                wrong.add(told(path))
        assert not wrong

    def test_third_party_packages_are_imported_where_they_belong(self):
        wrong = {
            told(path): package
            for path in FILES
            for package in {name.partition(".")[0] for name in imported(path)} - sys.stdlib_module_names - {"hpo"}
            if room(path) not in ALLOWED.get(package, ())
        }
        assert not wrong

    def test_nothing_is_printed_pickled_or_given_to_a_shell(self):
        wrong = set()
        forbidden = {"pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
        for path in FILES:
            if {name.partition(".")[0] for name in imported(path)} & forbidden:
                wrong.add(told(path))
            for node in nodes_of(path):
                if isinstance(node, ast.Call):
                    shells = [k for k in node.keywords if k.arg == "shell" and ast.unparse(k.value) != "False"]
                    if shells or ast.unparse(node.func) in ("print", "os.system", "os.popen"):
                        wrong.add(f"{told(path)}, line {node.lineno}")
        assert not wrong

    def test_no_call_unpacks_a_tuple_that_stands_in_it(self):
        wrong = set()
        for path in FILES:
            for node in nodes_of(path):
                if isinstance(node, ast.Call | ast.Tuple | ast.List):
                    inside = node.args if isinstance(node, ast.Call) else node.elts
                    if any(isinstance(a, ast.Starred) and isinstance(a.value, ast.Tuple | ast.List) for a in inside):
                        wrong.add(f"{told(path)}, line {node.lineno}")
        assert not wrong, "name the arguments, or write one a line"

    def test_a_module_is_short(self):
        assert not {told(path) for path in FILES if len(path.read_text().splitlines()) > 300}

    def test_a_module_says_what_it_is_for(self):
        assert not {told(path) for path in FILES if not ast.get_docstring(nodes_of(path)[0])}


def test_every_floor_names_rooms_that_exist():
    assert set(FLOOR) == {room(path) for path in FILES}


def test_at_most_eight_entries_lie_beside_the_rooms():
    beside = [path.name for path in PACKAGE.iterdir() if path.is_file()]
    assert len(beside) <= 8, beside


def test_no_module_imports_itself_through_others():
    """Faces are left out, for they load what is inside their own room."""
    arrows = {name: modules_imported(path) for name, path in MODULES.items() if path.name != "__init__.py"}
    order = TopologicalSorter({name: found & set(arrows) for name, found in arrows.items()})
    order.prepare()  # raises CycleError, which names the circle


def test_no_two_public_classes_have_the_same_name():
    places: dict[str, list[str]] = {}
    for name, path in MODULES.items():
        for node in nodes_of(path):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(name)
    assert not {name: found for name, found in places.items() if len(found) > 1}


def test_every_permission_is_used():
    used = {package: set() for package in ALLOWED}
    for path in FILES:
        for name in imported(path):
            used.get(name.partition(".")[0], set()).add(room(path))
    assert used == ALLOWED


def test_public_names_are_sorted_and_can_be_imported():
    assert hpo.__all__ == sorted(hpo.__all__)
    assert len(set(hpo.__all__)) == len(hpo.__all__)
    for name in hpo.__all__:
        assert getattr(hpo, name) is not None
    assert dir(hpo) == hpo.__all__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = hpo.nothing_of_the_kind


@pytest.mark.parametrize(
    "name", ["build_scheduler", "Trial", "Start", "Resume", "Decision", "run_experiment", "load_experiment", "report"]
)
def test_the_promised_names_are_public(name):
    assert name in hpo.__all__


def loaded_by(statement: str) -> set[str]:
    """Modules that a fresh interpreter loads for a statement."""
    code = f"import sys; before = set(sys.modules)\n{statement}\nsys.stdout.write(' '.join(set(sys.modules) - before))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return set(found.stdout.split())


@pytest.mark.process
def test_importing_the_package_loads_nothing_else():
    modules = loaded_by("import hpo")
    tops = {name.partition(".")[0] for name in modules}
    assert "hpo" in tops
    assert not [name for name in modules if name.startswith("hpo.")]
    assert tops - {"hpo"} <= sys.stdlib_module_names
    assert not tops & {"json", "sqlite3", "subprocess", "logging", "asyncio", "dataclasses", "inspect", "pathlib"}


@pytest.mark.parametrize("statement", ["import hpo; hpo.report", "import hpo.host.host", "import hpo.events.types"])
@pytest.mark.process
def test_what_runs_in_or_beside_a_trial_needs_the_standard_library_alone(statement):
    assert {name.partition(".")[0] for name in loaded_by(statement)} - {"hpo"} <= sys.stdlib_module_names


READY = """
import hpo
config = hpo.load_config("mlp_digits", "ASHA")
hpo.build_scheduler("ASHA", config.benchmark.config_space, max_resource=27, seed=0)
"""


@pytest.mark.parametrize("statement", ["import hpo.tuner.loop", READY], ids=["loop", "ready"])
@pytest.mark.process
def test_pandas_scipy_torch_and_plots_stay_off_the_path_of_a_run(statement):
    tops = {name.partition(".")[0] for name in loaded_by(statement)}
    assert not tops & {"pandas", "scipy", "torch", "matplotlib", "plotly", "boto3", "submitit", "hydra", "rich"}


TREE = re.findall(r"^  (\w+)/? +(\d+)  (.+)$", (PACKAGE.parent / "CONTRIBUTING.md").read_text(), re.MULTILINE)


def test_the_tree_of_contributing_is_that_of_the_package():
    said = {name: (int(floor) - 1, text) for name, floor, text in TREE}
    found = {}
    for name, floor in FLOOR.items():
        path = PACKAGE / name / "__init__.py" if (PACKAGE / name).is_dir() else PACKAGE / f"{name}.py"
        if name:
            found[name] = floor, ast.get_docstring(ast.parse(path.read_text())).splitlines()[0]
    found["__main__"] = found["__main__"][0], said["__main__"][1]
    assert said == found


OF_THE_WHOLE = {"docs", "golden", "reliability", "training_scripts", "support"}


def test_a_file_of_tests_is_named_after_what_it_tests():
    """A module, a package, or the room as a whole."""
    wrong = set()
    for path in TESTS.rglob("test_*.py"):
        place, name = path.relative_to(TESTS).parent, path.stem.removeprefix("test_")
        known = PACKAGE / place
        if (place.parts and place.parts[0] in OF_THE_WHOLE) or name in ("imports", known.name):
            continue
        if not (known / f"{name}.py").is_file() and not (known / name).is_dir():
            wrong.add(str(path.relative_to(TESTS)))
    assert not wrong
