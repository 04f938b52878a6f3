"""Plain lines for logs and pipes: each improvement, each failure, and now and then how things stand."""

import os
import re
import shutil
import sys
import textwrap
import time
from pathlib import Path

from hpo.config.schema import ExperimentConfig
from hpo.errors import harmless
from hpo.events.callback import Callback
from hpo.events.state import ExperimentState
from hpo.events.text import best_name, best_text, clock, counts_text, printable
from hpo.events.types import Event, Kind, Status
from hpo.results.hypervolume import hypervolume_text
from hpo.results.rows import log_of, reason_of
from hpo.store.experiment_paths import from_here

FRONT_EVERY = 1.0
"""Seconds between lines about a front, which grows more often than a best one is found."""
LINE_EVERY = 5.0
"""Seconds between plain lines that say how things stand."""


def say(text: str) -> None:
    """Write lines to standard output; when nobody reads them any more (`hpo … | head`), to nowhere from then on.

    A terminal gets them broken between words, for it would break them inside.
    """
    text = harmless(text)
    try:
        if sys.stdout.isatty():
            width = shutil.get_terminal_size().columns
            text = "\n".join(_broken(line, width) for line in text.split("\n"))
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  stays open to the end


def _broken(line: str, width: int) -> str:
    """One line as several, the further ones below what follows the indented name of the first."""
    if len(line.split()) < 3:
        return line  # a path, which must stay one
    named = re.match(r"( +(\S+  +)?)?", line)
    below = " " * len(named[0]) if named is not None and len(named[0]) < width // 2 else ""
    return textwrap.fill(line, width, subsequent_indent=below, break_long_words=False, break_on_hyphens=False)


class PlainLines(Callback):
    """For logs and pipes.

    Args:
        config: of the experiment.
        prefix: stands before each line; for several experiments in one stream.
        directory: of the experiment, where the logs of trials are.
    """

    def __init__(self, config: ExperimentConfig, prefix: str = "", directory: Path | None = None) -> None:
        self._directory = directory
        self._name = f"{config.benchmark.name} {config.method.name} seed {config.seed}"
        self._config = config
        self._prefix = prefix
        self._best: object = None
        self._said = 0.0
        self._state: ExperimentState | None = None

    def on_open(self, state: ExperimentState) -> None:
        """Say what begins."""
        self.attach(state)
        resumed = f" resumes after {state.elapsed:.1f} s, {len(state.trials)} trials" if state.trials else " starts"
        self._say(self._name + resumed)

    def attach(self, state: ExperimentState) -> None:
        """Take what is known as known, without a word."""
        self._state = state
        self._best = _best_of(state)

    def on_event(self, event: Event) -> None:
        """Say what is worth a line."""
        state = self._state
        assert state is not None
        silent = time.monotonic() - self._said
        front = state.front
        if (
            event.kind == Kind.REPORTED
            and (best := _best_of(state)) != self._best
            and (not front or silent > FRONT_EVERY)
        ):
            self._best = best
            told = f"{best_name(state)} {best_text(state)}{hypervolume_text(self._config, front)}"
            self._say(f"{clock(event.elapsed)} {told}")
        elif event.kind == Kind.ENDED and event.body["status"] in (Status.FAILED, Status.TIMEOUT):
            log = log_of(self._directory, event)
            see = "" if log is None else f" (see {from_here(log)})"
            self._say(f"{clock(event.elapsed)} trial {event.trial} {event.body['status']}: {reason_of(event)}{see}")
        elif event.kind == Kind.ENDED and silent > LINE_EVERY:
            self._say(f"{clock(event.elapsed)} {counts_text(state)}")

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        say(self._prefix + printable(text))


def _best_of(state: ExperimentState) -> object:
    """What differs from one improvement to the next."""
    return state.front or (state.incumbent and state.incumbent.loss)
