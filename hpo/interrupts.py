"""Signals while a session starts: that one came is remembered, for there is code that swallows its exception.

A handler raises wherever the interpreter is. In a callback that the import system makes after every import, in C code that
asks whether an attribute or a key exists, and in a library's bare `except`, that exception is dropped, and the session would
go on as if nothing had been asked.
"""

import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_came: int | None = None


def remember_interrupts() -> None:
    """From now on SIGINT is remembered, and raises KeyboardInterrupt as before."""
    if threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):
        signal.signal(signal.SIGINT, _remember)
        if sys.unraisablehook is sys.__unraisablehook__:
            sys.unraisablehook = _show_unless_remembered


def remember(number: int) -> None:
    """For handlers that raise: a signal asked this process to end."""
    global _came
    _came = number


def leave(number: int, _frame: FrameType | None) -> None:
    """A handler for before and after the tuner, when there are no trials to wait for.

    Where its exception is swallowed, the tuner ends the session when it begins.
    """
    remember(number)
    raise SystemExit(128 + number)


def asked_to_end() -> int | None:
    """The signal that asked this process to end, whatever became of its exception; None where there was none."""
    return _came


def _remember(number: int, _frame: FrameType | None) -> None:
    remember(number)
    raise KeyboardInterrupt


def _show_unless_remembered(dropped: "UnraisableHookArgs") -> None:
    """Tell of a dropped exception, unless it is a Ctrl-C, which is heeded."""
    if not issubclass(dropped.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
