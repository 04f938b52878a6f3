"""Ctrl-C while a session starts: it is remembered, for there is code that swallows a KeyboardInterrupt.

A handler raises wherever the interpreter is. Where C code asks whether an attribute or a key exists, and where a library
being imported has a bare `except`, that exception is dropped, and the session would go on as if nothing had been asked.
"""

import signal
import threading
from types import FrameType

_came = False


def remember_interrupts() -> None:
    """From now on SIGINT is remembered, and raises KeyboardInterrupt as before."""
    if threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):
        signal.signal(signal.SIGINT, _remember)


def interrupt_came() -> bool:
    """Has there been a SIGINT, whatever became of its exception?"""
    return _came


def _remember(_number: int, _frame: FrameType | None) -> None:
    global _came
    _came = True
    raise KeyboardInterrupt
