"""Source of a function that belongs to no module, with everything it uses: how a notebook's objective is stored.

A trial is a separate process, and nothing is pickled: modules are imported again, functions and classes of the same
notebook are stored by their source, and constants by their repr. If a script's function uses more, such as an array,
the script is stored up to its call of `hpo.tune`, and each trial runs that again. In a notebook such values belong
inside the function.
"""

import ast
import builtins
import dis
import importlib
import inspect
import linecache
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from hpo.errors import ConfigError
from hpo.functions.finding import bound_names


def text_above_call(function: Callable[..., Any], needed: str) -> str | None:
    """Return the running script's text up to the statement that led here, with its path and its command-line arguments.

    Args:
        function: Function of the script.
        needed: Name that the text has to define besides the function.

    Returns:
        None in a notebook, for a function of a module, and if the call is in a file that has no such text.
    """
    around: dict[str, Any] = getattr(function, "__globals__", {})
    file, line = around.get("__file__"), _line_of(around)
    if around.get("__name__") != "__main__" or around.get("__package__") or file is None or line is None:
        return None
    script = Path(file).absolute()
    text = script.read_text()
    body = [statement for statement in ast.parse(text).body if (statement.end_lineno or 0) < line]
    if not {function.__name__, needed} <= set(bound_names(body)):
        return None
    lines = text.splitlines()[: body[-1].end_lineno]
    first = _end_of_head(body)
    places = f"sys.path.insert(1, {str(script.parent)!r}); sys.argv = {sys.argv!r}; __file__ = {str(script)!r}"
    return "\n".join([*lines[:first], f"import sys; {places}", *lines[first:]]) + "\n"


def _line_of(around: dict[str, Any]) -> int | None:
    """Return the current line of the module with these globals; None if it is no longer running."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and not (frame.f_code.co_name == "<module>" and frame.f_globals is around):
        frame = frame.f_back
    return None if frame is None else frame.f_lineno


def _end_of_head(body: list[ast.stmt]) -> int:
    """Return the last line of the docstring and the __future__ imports, which must stay first."""
    end = 0
    for place, statement in enumerate(body):
        docstring = place == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not docstring and not (isinstance(statement, ast.ImportFrom) and statement.module == "__future__"):
            break
        end = statement.end_lineno or 0
    return end


HEAD = '"""The objective of this experiment, as it was given to hpo.tune."""\n\nfrom __future__ import annotations\n\n'
LONGEST = 10_000
"""Longest repr of a constant, in characters; anything longer is data, which the function should load."""
_MISSING = object()


def module_of(function: Callable[..., Any]) -> str | None:
    """Return `package.module:name` if another process can import a function by it, else None."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", ".")
    if module in (None, "__main__", "__mp_main__") or "." in name:
        return None
    return f"{module}:{name}" if getattr(importlib.import_module(str(module)), name, None) is function else None


def source_of(function: Callable[..., Any]) -> str:
    """Return the text of a file that defines a function under its own name.

    Raises:
        ConfigError: The function has no source, or uses something that another process cannot have.
    """
    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        raise ConfigError(f"objective={function!r:.100}: give a function that is defined by def")
    collected = _Collected(function.__name__)
    try:
        collected.add(function)
    except _NotPlainError as error:
        if (text := text_above_call(function, error.name)) is None:
            raise
        return text
    parts = ["\n".join(sorted(collected.imports)), "\n".join(collected.constants), *collected.definitions]
    return HEAD + "\n\n\n".join(part for part in parts if part).rstrip() + "\n"


class _NotPlainError(ConfigError):
    """Error for a function that uses an object which has no source text.

    Args:
        sentence: Message.
        name: Name of the object.
    """

    def __init__(self, sentence: str, name: str) -> None:
        super().__init__(sentence)
        self.name = name


@dataclass
class _Collected:
    objective: str
    imports: set[str] = field(default_factory=set)
    constants: list[str] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)
    """Source of each definition; those that others need come first."""
    _seen: set[str] = field(default_factory=set)

    def add(self, thing: Any) -> None:
        """Add a function or class, after everything it uses."""
        try:
            text = textwrap.dedent(_source(thing))
        except (OSError, TypeError) as error:
            raise ConfigError(
                f"objective={self.objective}: the source of {thing.__name__} cannot be read ({error}); define it in a file"
            ) from error
        self._seen.add(thing.__name__)
        for name, value in _used(thing, text):
            if name not in self._seen:
                self._seen.add(name)
                self._need(name, value)
        self.definitions.append(text.strip())

    def _need(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType):
            self.imports.add(f"import {value.__name__} as {name}")
        elif (target := _importable(value)) is not None:
            self.imports.add(f"from {target[0]} import {target[1]} as {name}")
        elif isinstance(value, FunctionType | type) and value.__name__ == name:
            self.add(value)
        elif _is_plain(value):
            self.constants.append(f"{name} = {value!r}")
        else:
            what = "which is not defined" if value is _MISSING else f"a {type(value).__name__} of this session"
            raise _NotPlainError(
                f"objective={self.objective}: it uses {name}, {what}; each trial is a process of its own, so import, load or "
                "make it inside the function",
                name,
            )


def _source(thing: Any) -> str:
    """Return the source of a function or class; `inspect` cannot find that of a class in a notebook."""
    methods = (
        [value for value in vars(thing).values() if isinstance(value, FunctionType)] if inspect.isclass(thing) else []
    )
    if not methods:
        return inspect.getsource(thing)
    text = "".join(linecache.getlines(methods[0].__code__.co_filename))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and node.name == thing.__name__:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            return "".join(text.splitlines(keepends=True)[first - 1 : node.end_lineno])
    raise OSError("source code not available")


def _importable(value: Any) -> tuple[str, str] | None:
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module in ("__main__", "builtins") or "." in name:
        return None
    try:
        return (module, name) if getattr(importlib.import_module(module), name, None) is value else None
    except ImportError:
        return None


_PLAIN = (int, float, str, bytes, bool, tuple, list, dict, set, type(None))


def _is_plain(value: Any) -> bool:
    """Whether a value's repr evaluates to the value and is not too long."""
    try:
        text = repr(value) if type(value) in _PLAIN else ""
        return 0 < len(text) <= LONGEST and bool(ast.literal_eval(text) == value)
    except (ValueError, SyntaxError, TypeError):
        return False


def _used(thing: Any, text: str) -> Iterator[tuple[str, Any]]:
    """Yield the global names that a function or class uses, with their values."""
    namespace: dict[str, Any] = {}
    if isinstance(thing, FunctionType):
        namespace = {**thing.__globals__, **inspect.getclosurevars(thing).nonlocals}
    else:
        methods = [value for value in vars(thing).values() if isinstance(value, FunctionType)]
        namespace = dict(methods[0].__globals__) if methods else {}
    code = compile(f"from __future__ import annotations\n{text}", thing.__name__, "exec", dont_inherit=True)
    for name in dict.fromkeys(_global_names(code)):
        if name != thing.__name__ and not hasattr(builtins, name):
            yield name, namespace.get(name, _MISSING)


def _global_names(code: CodeType) -> Iterator[str]:
    instructions = list(dis.get_instructions(code))
    bound = {str(found.argval) for found in instructions if found.opname == "STORE_NAME"}  # in a class's body
    for found in instructions:
        name = str(found.argval)
        if found.opname in ("LOAD_GLOBAL", "LOAD_NAME") and name not in bound and not name.startswith("__"):
            yield name
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)
