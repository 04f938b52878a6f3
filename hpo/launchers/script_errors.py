"""The display of errors that a script does not catch: one sentence with the line that called hpo, instead of a traceback."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

from hpo.errors import HPOError, print_error

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")
_PACKAGE = str(Path(__file__).parents[1])


def plainly(function: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
    """Decorate a function so that an HPOError that nobody catches is shown as its sentence; other errors as before."""

    @functools.wraps(function)
    def wrapped(*args: _Given.args, **kwargs: _Given.kwargs) -> _Returned:
        try:
            return function(*args, **kwargs)
        except HPOError:
            if not getattr(sys.excepthook, "tells_plainly", False):
                sys.excepthook = _hook(sys.excepthook)
            raise

    return wrapped


def _hook(before: Callable[..., object]) -> Callable[..., object]:
    def tell(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if isinstance(error, HPOError):
            print_error(f"{error}{_caller(traceback)}")
        else:
            before(kind, error, traceback)

    vars(tell)["tells_plainly"] = True
    return tell


def _caller(traceback: TracebackType | None) -> str:
    """Return the last line outside hpo, such as ` (study.py:16)`; empty if there is none."""
    where = ""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith(_PACKAGE):
            where = f" ({Path(file).name}:{traceback.tb_lineno})"
        traceback = traceback.tb_next
    return where
