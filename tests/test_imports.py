"""Imports point one way, third-party packages stay where they belong, and modules stay small."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hpo

PACKAGE = Path(hpo.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

LAYERS = [
    {"", "errors", "interrupts", "nearest", "reporting", "checkpoint", "trial", "domains", "randomness"},
    {"directory", "objective"},
    {"diskspace"},
    {"sqlitefile"},
    {"space", "state", "store", "lease", "tags", "yamlfile", "mistakes"},
    {"yamlguard", "names", "references"},
    {"validity"},
    {"config", "callbacks", "wording", "intake", "limits", "options", "overrides", "ownership", "salvage", "stopping"},
    {"surrogate", "tables"},
    {"searchers", "backends", "journal", "results", "resuming", "composition", "tuning_metrics"},
    {"schedulers", "rehearsal", "checkpoint_budget"},
    {"analysis"},
    {"replay", "assembly", "watching"},
    {"progress", "trackers"},
    {"supervision"},
    {"tuner"},
    {"sessions"},
    {"experiment"},
    {"launchers", "remote", "batch", "preflight"},
    {"cli", "sagemaker_job"},
    {"recording", "reports", "planning", "checking", "exporting", "reproducing"},
    {"verbs"},
    {"__main__"},
]
"""From the bottom up; "" is the package itself. A module imports only what lies in a layer below its own, or in the
sub-package that it belongs to."""

RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

ALLOWED = {
    "hydra": {"assembly", "cli", "composition"},
    "omegaconf": {
        "assembly",
        "cli",
        "composition",
        "config",
        "overrides",
        "planning",
        "results",
        "resuming",
        "yamlfile",
        "yamlguard",
    },
    "torch": {"checkpoint", "searchers"},
    "botorch": {"searchers"},
    "gpytorch": {"searchers"},
    "yaml": {"cli", "tables", "yamlfile", "yamlguard"},
    "boto3": {"launchers"},
    "botocore": {"launchers"},
    "pip": {"launchers"},
    "submitit": {"launchers"},
    "numpy": {"surrogate", "analysis", "randomness", "recording", "space", "searchers", "schedulers", "tables"},
    "pandas": {"analysis", "exporting", "results"},
    "threadpoolctl": {"surrogate"},
    "scipy": {"analysis", "searchers", "surrogate", "tables"},
    "matplotlib": {"analysis"},
    "rich": {"batch", "progress", "verbs", "watching"},
    "typer": {"verbs"},
    "filelock": {"ownership", "tags", "verbs"},
    "psutil": {"backends"},
    "inotify_simple": {"backends", "checking", "watching"},
    "pynvml": {"backends"},
    "optuna": {"exporting"},
    "pyarrow": {"exporting"},
}
"""Third-party packages, and the modules that may import them."""


def room(path: Path) -> str:
    """The top-level module or sub-package that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING:`."""
    if isinstance(tree, ast.If) and isinstance(tree.test, ast.Name) and tree.test.id == "TYPE_CHECKING":
        return
    yield tree
    for child in ast.iter_child_nodes(tree):
        yield from at_run_time(child)


def imported(path: Path) -> set[str]:
    """Dotted names of what a file imports, at the top or inside functions."""
    names: set[str] = set()
    for node in at_run_time(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_imported(path: Path) -> set[str]:
    rooms = set()
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "hpo":
            known = len(parts) > 1 and ((PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").is_file())
            rooms.add(parts[1] if known else "")
    return rooms


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
class TestEveryModule:
    """What holds for each file of the package."""

    def test_imports_point_to_lower_layers(self, path):
        assert room(path) in RANK, f"give {room(path)!r} its place in LAYERS"
        wrong = {other for other in rooms_imported(path) - {room(path)} if RANK[other] >= RANK[room(path)]}
        assert not wrong, f"{room(path)} may not import {', '.join(sorted(wrong))}"

    def test_third_party_packages_are_imported_where_they_belong(self, path):
        for package in {name.partition(".")[0] for name in imported(path)} - sys.stdlib_module_names - {"hpo"}:
            assert package in ALLOWED, f"{path.name} imports {package}, which no module may"
            assert room(path) in ALLOWED[package], f"{path.name} may not import {package}"

    def test_nothing_is_printed_pickled_or_given_to_a_shell(self, path):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("print", "os.system", "os.popen"), f"line {node.lineno}"
                shells = [k for k in node.keywords if k.arg == "shell" and ast.unparse(k.value) != "False"]
                assert not shells, f"line {node.lineno}"
        forbidden = {"pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
        assert not {name.partition(".")[0] for name in imported(path)} & forbidden

    def test_a_module_is_one_room(self, path):
        assert len(path.read_text().splitlines()) <= 300

    def test_a_module_says_what_it_is_for(self, path):
        assert ast.get_docstring(ast.parse(path.read_text()))


def test_every_layer_names_modules_that_exist():
    assert set(RANK) == {room(path) for path in FILES}


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


def test_importing_the_package_loads_nothing_else():
    modules = loaded_by("import hpo")
    tops = {name.partition(".")[0] for name in modules}
    assert "hpo" in tops
    assert not [name for name in modules if name.startswith("hpo.")]
    assert tops - {"hpo"} <= sys.stdlib_module_names
    assert not tops & {"json", "sqlite3", "subprocess", "logging", "asyncio", "dataclasses", "inspect", "pathlib"}


@pytest.mark.parametrize("statement", ["import hpo; hpo.report", "import hpo.backends.host", "import hpo.trial"])
def test_what_runs_in_or_beside_a_trial_needs_the_standard_library_alone(statement):
    assert {name.partition(".")[0] for name in loaded_by(statement)} - {"hpo"} <= sys.stdlib_module_names


@pytest.mark.parametrize("statement", ["import hpo.tuner", "from hpo import build_scheduler, load_config"])
def test_pandas_scipy_torch_and_plots_stay_off_the_path_of_a_run(statement):
    tops = {name.partition(".")[0] for name in loaded_by(statement)}
    assert not tops & {"pandas", "scipy", "torch", "matplotlib", "plotly", "boto3", "submitit", "hydra", "rich"}
