"""Finding a function that a configuration names, `package.module:name` or `file.py:name`, without importing anything."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from hpo.errors import ConfigError, did_you_mean

TOLD = "max_resource"
"""Name of the constant in which `hpo.tune` stores the resource where trials end; it is not passed to the function."""
OWN = "objective.py"
"""File in an experiment's directory with the source of a function that belongs to no module."""


@dataclass(frozen=True)
class FoundFunction:
    """The location of a function."""

    file: str
    module: str | None
    """Module from which the function is imported; None if its file is not a module."""
    name: str
    base: str
    """Folder that must be on the import path."""

    def order(self) -> dict[str, Any]:
        """Return the location as plain values for the process that calls the function."""
        return asdict(self)


def is_own(target: str | None) -> bool:
    """Whether a target is a function from a notebook or a script, whose source is stored with the experiment."""
    return target is not None and target.startswith(f"{OWN}:")


def find_function(target: str, directory: Path) -> FoundFunction:
    """Find the function that `benchmark.function` names.

    Args:
        target: `package.module:name`, or `file.py:name` with a path relative to the working directory.
        directory: Directory of the experiment, which contains the source of functions that belong to no module.

    Raises:
        ConfigError: The module, file or function does not exist.
    """
    key = f"benchmark.function={target}"
    place, colon, name = target.rpartition(":")
    if not colon or not name.isidentifier():
        raise ConfigError(
            f"{key}: name a module and its function, as in package.module:objective, or train.py:objective"
        )
    if place.endswith(".py"):
        folder = directory if is_own(target) and (directory / OWN).is_file() else Path.cwd()
        file = (folder / Path(place).expanduser()).absolute()
        if not file.is_file():
            raise ConfigError(f"{key}: there is no file {file}; give its path from the working directory")
        found = FoundFunction(str(file), None, name, str(file.parent))
    else:
        found = _in_module(key, place, name)
    _check_defined(key, found)
    return found


def _in_module(key: str, module: str, name: str) -> FoundFunction:
    path = [str(Path.cwd()), *sys.path]
    base, spec = None, None
    parts = module.split(".")
    for depth in range(len(parts)):
        spec = _spec(".".join(parts[: depth + 1]), path)
        if spec is None:
            raise ConfigError(
                f"{key}: there is no module {'.'.join(parts[: depth + 1])} in {Path.cwd()} nor on Python's path; see "
                "its spelling, or set PYTHONPATH to the folder that has it"
            )
        if spec.has_location:
            path = list(spec.submodule_search_locations or [])
        else:  # a namespace package, whose path Python computes only on import
            path = [str(folder) for entry in path if (folder := Path(entry) / parts[depth]).is_dir()]
        if base is None:
            base = Path(path[0] if path else str(spec.origin)).absolute().parent
    assert spec is not None
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise ConfigError(f"{key}: {module} is not a Python module of source code")
    return FoundFunction(spec.origin, module, name, str(base))


def _spec(name: str, path: list[str]) -> ModuleSpec | None:
    """Find a module on a path, then with the import finders of packages in editable installations."""
    last = name.rpartition(".")[2]  # for a dotted name Python would import the parents
    if (spec := PathFinder.find_spec(last, path)) is not None:
        return spec
    others: list[Any] = [finder for finder in sys.meta_path if finder is not PathFinder]
    return next((spec for finder in others if (spec := finder.find_spec(name, path)) is not None), None)


def _check_defined(key: str, found: FoundFunction) -> None:
    """Raise ConfigError unless the file binds the function's name at top level."""
    try:
        tree = ast.parse(Path(found.file).read_text(), found.file)
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"{key}: {found.file} is not valid Python: {error}") from error
    names = set(bound_names(tree.body))
    if found.name not in names and "*" not in names:
        raise ConfigError(f"{key}: {found.file} has no function {found.name}{did_you_mean(found.name, names)}")


def bound_names(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that statements bind, also inside `if` and `try`; `*` if they may bind any name."""
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef():
                yield statement.name
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
            case _:
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        yield node.id
                    elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                        yield node.name
