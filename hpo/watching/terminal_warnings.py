"""What the library warns of, on the terminal."""

import logging
import sys
from typing import Any, TextIO

from hpo.errors import harmless


def show_warnings() -> None:
    """Warnings of the library reach the terminal, without tracebacks; the rest goes to each experiment's log."""
    if any(isinstance(handler, _ToStandardError) for handler in logging.getLogger("hpo").handlers):
        return
    handler = _ToStandardError()
    handler.setFormatter(_WithoutTraceback("hpo: %(message)s"))
    handler.addFilter(_Worthwhile())
    logging.getLogger("hpo").addHandler(handler)


class _ToStandardError(logging.StreamHandler[TextIO]):
    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr  # while a live view is up another, that puts lines above it
        super().emit(record)


class _Worthwhile(logging.Filter):
    """Warnings, and what is marked for the terminal, not errors, which are said where they are caught.

    Of those that several experiments have in common only the first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        once = getattr(record, "once", None)
        wanted = record.levelno == logging.WARNING or hasattr(record, "terminal")
        if not wanted or once in self._said:
            return False
        if once is not None:
            self._said.add(once)
        return True


class _WithoutTraceback(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return harmless(super().format(record))

    def formatException(self, ei: Any) -> str:
        return ""
