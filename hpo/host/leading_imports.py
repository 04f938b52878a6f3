"""Which installed packages a script imports before it does anything else, read from its source. Standard library only.

What stands in an `if` or a `try` is no longer before anything else. Modules of the user's are never named, and one whose
source speaks of the environment or of where modules are found ends the reading: the packages after it may depend on it.
"""

import ast
import os
import re
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder

_SITES = ("site-packages", "dist-packages")
_OURS = "hpo.integrations."
_MATTERS = re.compile(rb"environ|putenv|dotenv|sys\.(path|modules|meta_path)")


def leading_imports(script: str) -> list[str]:
    """Modules, in order; with the names that are taken from one behind it: `numpy`, `sklearn.svm:SVC,SVR`."""
    path = [os.path.dirname(os.path.realpath(script)), *sys.path]  # noqa: PTH120  as a trial looks for them
    found: dict[str, None] = {}
    for module, names in _import_statements(script):
        top = module.partition(".")[0]
        if module.startswith(_OURS):
            found[module] = None  # `hpo` is this package in every trial
        if top == "hpo" or top in sys.stdlib_module_names:
            continue
        spec = PathFinder.find_spec(top, path)
        if spec is None:
            break
        if _is_installed(spec):
            found[f"{module}:{','.join(names)}" if names else module] = None
        elif _matters(spec, module, names):
            break
    return list(found)


def _import_statements(script: str) -> Iterator[tuple[str, list[str]]]:
    """(module, names taken from it) of those that come first."""
    try:
        with open(script, "rb") as file:  # noqa: PTH123
            body = ast.parse(file.read()).body
    except (OSError, SyntaxError, ValueError, RecursionError):
        return  # the trial will meet the same error and show it
    for number, statement in enumerate(body):
        match statement:
            case ast.Import():
                yield from ((alias.name, []) for alias in statement.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module, [alias.name for alias in statement.names]
            case ast.Expr(value=ast.Constant(value=str())) if number == 0:
                continue  # what the script says of itself
            case _:
                return


def _is_installed(spec: ModuleSpec) -> bool:
    """Does it lie where packages are installed, and nowhere else?"""
    places = list(spec.submodule_search_locations or [spec.origin or ""])
    return all(os.path.basename(os.path.dirname(place)) in _SITES for place in places)  # noqa: PTH119, PTH120


def _matters(spec: ModuleSpec, module: str, names: list[str]) -> bool:
    """May a module of the user's, or a package on the way to it, change what is imported after it?"""
    files = [spec.origin] if spec.origin else []
    for folder in spec.submodule_search_locations or ():
        parts = module.split(".")[1:]
        inner = [os.path.join(folder, *parts[: n + 1]) for n in range(len(parts))]  # noqa: PTH118
        inner += [os.path.join(folder, *parts, name) for name in names]  # noqa: PTH118
        files += [f"{path}{end}" for path in inner for end in (".py", "/__init__.py")]
    for name in filter(os.path.isfile, files):
        with open(name, "rb") as file:  # noqa: PTH123
            if _MATTERS.search(file.read()):
                return True
    return False
