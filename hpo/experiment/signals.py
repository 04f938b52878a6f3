"""Signals that ask an experiment or a batch to end: handled in order, and remembered if their exception is lost.

A signal handler raises wherever the interpreter happens to be. In a callback that the import system runs after every
import, in C code that tests for an attribute or a key, and in a library's bare `except`, that exception is dropped, and
the session would continue as if no signal had come.
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
    """Whether this is the main thread, which alone may handle signals; a notebook's thread leaves them alone."""
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a batch in order, as Ctrl-C does; signals that are ignored or handled already stay so."""

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
    """Let SIGINT, SIGTERM and SIGHUP end the session in order; yields the list of signals received.

    Signals that are ignored, such as SIGHUP under `nohup` and SIGINT in a script's background job, stay ignored.
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
    """Install a handler of SIGINT that remembers it and raises KeyboardInterrupt as before."""
    if threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):
        signal.signal(signal.SIGINT, _remember)
        if sys.unraisablehook is sys.__unraisablehook__:
            sys.unraisablehook = _show_unless_remembered


def remember(number: int) -> None:
    """Remember that a signal asked this process to end; for handlers that raise."""
    global _came
    _came = number


def leave(number: int, _frame: FrameType | None) -> None:
    """Handle a signal before or after the tuner runs, when no trials have to be waited for, by raising.

    If the exception is lost, the tuner ends the session as soon as it starts.
    """
    remember(number)
    raise SystemExit(128 + number)


def asked_to_end() -> int | None:
    """Return the signal that asked this process to end, even if its exception was lost; None if there was none."""
    return _came


def _remember(number: int, _frame: FrameType | None) -> None:
    remember(number)
    raise KeyboardInterrupt


def _show_unless_remembered(dropped: "sys.UnraisableHookArgs") -> None:
    """Report an exception that Python dropped, unless it is a Ctrl-C, which has been remembered."""
    if not issubclass(dropped.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
