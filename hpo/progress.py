"""What a person sees while an experiment runs, and when it is over.

On a terminal a table that is kept up to date, elsewhere plain lines: each improvement, each failure, and now and then
how things stand.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.callbacks import Callback
from hpo.config import ExperimentConfig
from hpo.state import ExperimentState, TrialState
from hpo.trial import Event, Kind, Status

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

LINE_EVERY = 5.0
"""Seconds between plain lines that say how things stand."""
DRAW_EVERY = 0.25
TICK = 2.0
MOST_ROWS = 16


def say(text: str) -> None:
    """Write a line to standard output; when nobody reads it any more (`hpo … | head`), to nowhere from then on."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  stays open to the end


def progress_display(config: ExperimentConfig) -> Callback:
    """The display that suits standard output."""
    return LiveTable(config) if sys.stdout.isatty() else PlainLines(config)


class PlainLines(Callback):
    """For logs and pipes."""

    def __init__(self, config: ExperimentConfig) -> None:
        self._name = f"{config.benchmark.name} {config.method.name} seed {config.seed}"
        self._best: float | None = None
        self._said = 0.0
        self._state: ExperimentState | None = None

    def on_open(self, state: ExperimentState) -> None:
        """Say what begins."""
        self._state = state
        self._best = state.incumbent.loss if state.incumbent else None
        resumed = f" resumes after {state.elapsed:.1f} s, {len(state.trials)} trials" if state.trials else " starts"
        self._say(self._name + resumed)

    def on_event(self, event: Event) -> None:
        """Say what is worth a line."""
        state = self._state
        assert state is not None
        if event.kind == Kind.REPORTED and state.incumbent and state.incumbent.loss != self._best:
            self._best = state.incumbent.loss
            self._say(f"{clock(event.elapsed)} best {best_text(state)}")
        elif event.kind == Kind.ENDED and event.body["status"] in (Status.FAILED, Status.TIMEOUT):
            reason = (event.body.get("error") or "").strip().splitlines()[-1:]
            self._say(f"{clock(event.elapsed)} trial {event.trial} {event.body['status']}: {' '.join(reason)}")
        elif event.kind == Kind.ENDED and time.monotonic() - self._said > LINE_EVERY:
            self._say(f"{clock(event.elapsed)} {counts_text(state)}")

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        say(text)


class LiveTable(Callback):
    """For terminals."""

    def __init__(self, config: ExperimentConfig) -> None:
        self._config = config
        self._state: ExperimentState | None = None
        self._live: Live | None = None
        self._drawn = 0.0
        self._dirty = True

    def on_open(self, state: ExperimentState) -> None:
        """Put the table up."""
        from rich.live import Live

        self._state = state
        self._live = Live(auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=True)
        self._live.start()

    def on_event(self, event: Event) -> None:
        """Something to draw at the next opportunity."""
        self._dirty = True

    def on_idle(self) -> float | None:
        """Draw if it is time to, and say when it will be."""
        now = time.monotonic()
        due = self._drawn + (DRAW_EVERY if self._dirty else TICK)
        if now >= due:
            self._draw()
            return TICK
        return due - now

    def on_close(self) -> None:
        """Take the table down; the summary follows."""
        if self._live is not None:
            self._live.stop()

    def _draw(self) -> None:
        self._drawn, self._dirty = time.monotonic(), False
        if self._live is not None and self._state is not None:
            self._live.update(self._table(self._state), refresh=True)

    def _table(self, state: ExperimentState) -> "Table":
        from rich.box import SIMPLE
        from rich.table import Table
        from rich.text import Text

        config = self._config
        objective = state.objective
        title = f"{config.benchmark.name} · {config.method.name} · seed {config.seed} · {clock(state.elapsed)}"
        caption = Text(f"{counts_text(state)}\nbest {best_text(state)}")
        table = Table(title=Text(title), caption=caption, box=SIMPLE, title_justify="left", caption_justify="left")
        resource = objective.resource_attr or "reports"
        for name, width in (("trial", 5), ("state", 11), (resource, len(resource)), (objective.metric, 8)):
            table.add_column(name, no_wrap=True, min_width=max(width, len(name)))
        table.add_column("configuration", no_wrap=True, overflow="ellipsis")
        for row in _latest(state):
            value = "" if row.loss is None else f"{objective.value(row.loss):.5g}"
            status = row.status.value if row.ending is None else "ending"
            text = configuration_text(row.trial.configuration)
            cells = (str(row.trial.id), status, str(row.resource or ""), value, text)
            table.add_row(*(Text(cell) for cell in cells))  # values are data, never markup
        return table


def _latest(state: ExperimentState) -> list[TrialState]:
    """Running trials and the newest others, by id."""
    chosen = dict(state.running)
    for trial_id in reversed(state.trials):
        if len(chosen) >= MOST_ROWS:
            break
        chosen[trial_id] = state.trials[trial_id]
    return [chosen[trial_id] for trial_id in sorted(chosen)]


def summary(
    config: ExperimentConfig, state: ExperimentState, directory: Path, reason: str | None, skipped: bool = False
) -> str:
    """The closing lines: why it ended, the best configuration, trials by state, time, worker utilisation."""
    name = f"{config.benchmark.name} · {config.method.name} · seed {config.seed}"
    if skipped:
        ended = f"was complete already ({reason})"
    else:
        ended = f"complete: {reason}" if reason else "interrupted; the same command goes on"
    n_workers = config.n_workers or config.benchmark.n_workers
    available = state.elapsed * n_workers
    used = f"{state.busy_seconds() / available:.0%}" if available > 0 else "–"
    lines = [
        f"{name}: {ended}",
        f"  best     {best_text(state)}",
        f"  trials   {counts_text(state)}",
        f"  time     {clock(state.elapsed)}, {n_workers} worker(s) busy {used} of it, random_seed={config.random_seed}",
        f"  files    {directory}",
    ]
    return "\n".join(lines)


def best_text(state: ExperimentState) -> str:
    """The incumbent in one line."""
    best = state.incumbent
    if best is None:
        return "none yet"
    objective = state.objective
    where = f"{objective.resource_attr or 'report'} {best.resource}"
    configuration = configuration_text(state.trials[best.trial_id].trial.configuration)
    return f"{objective.metric}={objective.value(best.loss):.6g} (trial {best.trial_id}, {where}): {configuration}"


def counts_text(state: ExperimentState) -> str:
    """How many trials are in which state."""
    counts = ", ".join(f"{count} {status}" for status, count in state.counts().items())
    return f"{len(state.trials)} trials ({counts or 'none'}), {state.reports} reports"


def configuration_text(configuration: Mapping[str, Any]) -> str:
    """A configuration as a person reads it."""
    return " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in configuration.items())


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss, or with a decimal below a minute."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = int(seconds + 0.05)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
