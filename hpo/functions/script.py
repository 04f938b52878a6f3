"""The running script as a module from which a trial takes its function: everything above the call of `hpo.tune`."""

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

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
