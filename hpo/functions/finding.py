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
"""The constant in which `hpo.tune` keeps where trials end: `report` knows, and the function is not given it."""
OWN = "objective.py"
"""In an experiment's directory: the source of a function that belongs to no module."""


@dataclass(frozen=True)
class FoundFunction:
    """Where a function is."""

    file: str
    module: str | None
    """To import it by; None for a file that is no module."""
    name: str
    base: str
    """The folder from which it is imported."""

    def order(self) -> dict[str, Any]:
        """For the process that calls it."""
        return asdict(self)


def is_own(target: str | None) -> bool:
    """Is it the function of a notebook or of a script that was run, whose source the experiment has?"""
    return target is not None and target.startswith(f"{OWN}:")


def find_function(target: str, directory: Path) -> FoundFunction:
    """Where the function is that `benchmark.function` names.

    Args:
        target: `package.module:name`, or `file.py:name` with a path from the working directory.
        directory: of the experiment, which has the source of functions that belong to no module.

    Raises:
        ConfigError: there is no such module, file or function.
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
        else:  # a package without __init__.py, whose places Python itself tells only once it is imported
            path = [str(folder) for entry in path if (folder := Path(entry) / parts[depth]).is_dir()]
        if base is None:
            base = Path(path[0] if path else str(spec.origin)).absolute().parent
    assert spec is not None
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise ConfigError(f"{key}: {module} is no Python module of source code")
    return FoundFunction(spec.origin, module, name, str(base))


def _spec(name: str, path: list[str]) -> ModuleSpec | None:
    """Where a module is; the last to be asked are finders of packages that are installed from where they are edited."""
    last = name.rpartition(".")[2]  # of a whole name Python wants the parents imported
    if (spec := PathFinder.find_spec(last, path)) is not None:
        return spec
    others: list[Any] = [finder for finder in sys.meta_path if finder is not PathFinder]
    return next((spec for finder in others if (spec := finder.find_spec(name, path)) is not None), None)


def _check_defined(key: str, found: FoundFunction) -> None:
    """Raise ConfigError unless the file binds the name at its top level."""
    try:
        tree = ast.parse(Path(found.file).read_text(), found.file)
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"{key}: {found.file} is no valid Python: {error}") from error
    names = set(bound_names(tree.body))
    if found.name not in names and "*" not in names:
        raise ConfigError(f"{key}: {found.file} has no function {found.name}{did_you_mean(found.name, names)}")


def bound_names(body: list[ast.stmt]) -> Iterator[str]:
    """Names that statements bind, those inside `if` and `try` too; `*` where any could be."""
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
