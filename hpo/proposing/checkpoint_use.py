"""Whether a function can save checkpoints, by the source of the user's code."""

import re
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from hpo.functions.finding import find_function
from hpo.proposing.source import read_sources

_SAVES = re.compile(r"checkpoint|hpo\.integrations", re.IGNORECASE)
_PACKAGE = Path(__file__).parents[1]


def may_save(objective: Callable[..., Any] | str, source: str | None) -> bool:
    """Whether the code of an objective mentions checkpoints or a library that saves them. Code that does not cannot resume.

    Args:
        objective: The function, or `package.module:name`.
        source: Source text of the function if it belongs to no module.
    """
    if isinstance(objective, str):
        file = Path(find_function(objective, Path.cwd()).file)
        texts = [one.path.read_text(errors="replace") for one in read_sources(file)]
    else:
        files = _own_files(getattr(objective, "__globals__", {}))
        texts = [source or "", *(file.read_text(errors="replace") for file in files)]
    return any(map(_SAVES.search, texts))


def _own_files(names: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the files of the user's own modules that names come from, directly or through other modules."""
    libraries = {Path(path) for path in sysconfig.get_paths().values()} | {_PACKAGE}
    seen: set[str | None] = {"__main__"}
    todo = [names]
    while todo:
        around = todo.pop()
        modules: set[str | None] = {around.get("__name__"), *(_module_of(value) for value in around.values())} - seen
        for name in modules:
            seen.add(name)
            module = sys.modules.get(str(name))
            file = Path(getattr(module, "__file__", None) or "")
            installed = {"site-packages", "dist-packages"} & set(file.parts)
            if file.suffix == ".py" and not installed and not any(map(file.is_relative_to, libraries)):
                todo.append(vars(module))
                yield file


def _module_of(value: Any) -> str | None:
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return name if type(name) is str else None
