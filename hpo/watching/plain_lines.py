"""Plain output for logs and pipes: a line for each improvement and failure, and regular lines about the progress."""

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
"""Seconds between lines about a Pareto front, which changes more often than a single best result."""
LINE_EVERY = 5.0
"""Seconds between lines about the progress."""


def say(text: str) -> None:
    """Write lines to standard output, or to nowhere once its reader has gone (`hpo … | head`).

    For a terminal, long lines are broken between words.
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
    """Break a line into several, the later ones indented below the text that follows the first one's indented name."""
    if len(line.split()) < 3:
        return line  # a path, which must not be broken
    named = re.match(r"( +(\S+  +)?)?", line)
    below = " " * len(named[0]) if named is not None and len(named[0]) < width // 2 else ""
    return textwrap.fill(line, width, subsequent_indent=below, break_long_words=False, break_on_hyphens=False)


class PlainLines(Callback):
    """Callback that prints plain lines for logs and pipes.

    Args:
        config: Configuration of the experiment.
        prefix: Text before each line, which tells several experiments in one stream apart.
        directory: Directory of the experiment, which holds the trials' logs.
        failures: Whether to print which trials fail; not beside the tuner, which warns of them on standard error.
    """

    def __init__(
        self, config: ExperimentConfig, prefix: str = "", directory: Path | None = None, *, failures: bool = True
    ) -> None:
        self._failures = failures
        self._directory = directory
        self._name = f"{config.benchmark.name} {config.method.name} seed {config.seed}"
        self._config = config
        self._prefix = prefix
        self._best: object = None
        self._said = 0.0
        self._state: ExperimentState | None = None

    def on_open(self, state: ExperimentState) -> None:
        """See `Callback.on_open`; prints how the experiment begins."""
        self.attach(state)
        resumed = f" resumes after {state.elapsed:.1f} s, {len(state.trials)} trials" if state.trials else " starts"
        self._say(self._name + resumed)

    def attach(self, state: ExperimentState) -> None:
        """Take an experiment's state as already known, so that no line is printed about it."""
        self._state = state
        self._best = _best_of(state)

    def on_event(self, event: Event) -> None:
        """See `Callback.on_event`; prints a line if the event is worth one."""
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
        elif self._failures and event.kind == Kind.ENDED and event.body["status"] in (Status.FAILED, Status.TIMEOUT):
            log = log_of(self._directory, event)
            see = "" if log is None else f" (see {from_here(log)})"
            self._say(f"{clock(event.elapsed)} trial {event.trial} {event.body['status']}: {reason_of(event)}{see}")
        elif event.kind == Kind.ENDED and silent > LINE_EVERY:
            self._say(f"{clock(event.elapsed)} {counts_text(state)}")

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        say(self._prefix + printable(text))


def _best_of(state: ExperimentState) -> object:
    """Return a value that changes with each improvement."""
    return state.front or (state.incumbent and state.incumbent.loss)
