"""Signals that ask an experiment, or many, to end: heeded in order, and remembered where their exception is swallowed.

A handler raises wherever the interpreter is. In a callback that the import system makes after every import, in C code that
asks whether an attribute or a key exists, and in a library's bare `except`, that exception is dropped, and the session would
go on as if nothing had been asked.
"""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def in_main_thread() -> bool:
    """Do signals belong to whoever calls? A notebook's thread leaves them alone."""
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """SIGTERM and SIGHUP end the batch in order, as Ctrl-C does; where they are ignored or handled that stays."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    numbers = ENDING[1:] if in_main_thread() else ()
    heeded = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in heeded:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def signals_interrupt(interrupt: Callable[[], None]) -> Iterator[list[int]]:
    """SIGINT, SIGTERM and SIGHUP end the session in order; yields the list of those that came.

    One that is ignored, as SIGHUP under `nohup` and SIGINT in a script's background, stays ignored.
    """
    received: list[int] = []
    if not in_main_thread():
        yield received
        return

    def handle(number: int, _frame: Any) -> None:
        received.append(number)
        interrupt()

    heeded = [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heeded}
    if (number := asked_to_end()) is not None:
        handle(number, None)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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


def _show_unless_remembered(dropped: "sys.UnraisableHookArgs") -> None:
    """Tell of a dropped exception, unless it is a Ctrl-C, which is heeded."""
    if not issubclass(dropped.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
