"""Ctrl-C while a session starts: it is remembered, for there is code that swallows a KeyboardInterrupt.

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

_came = False


def remember_interrupts() -> None:
    """From now on SIGINT is remembered, and raises KeyboardInterrupt as before."""
    if threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):
        signal.signal(signal.SIGINT, _remember)
        if sys.unraisablehook is sys.__unraisablehook__:
            sys.unraisablehook = _show_unless_remembered


def interrupt_came() -> bool:
    """Has there been a SIGINT, whatever became of its exception?"""
    return _came


def _remember(_number: int, _frame: FrameType | None) -> None:
    global _came
    _came = True
    raise KeyboardInterrupt


def _show_unless_remembered(dropped: "UnraisableHookArgs") -> None:
    """Tell of a dropped exception, unless it is a Ctrl-C, which is heeded."""
    if not issubclass(dropped.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
