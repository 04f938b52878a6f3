"""Display of an experiment while it runs, and its summary at the end.

A terminal or notebook gets the same live view as from `hpo watch`; other outputs get plain lines.
"""

import contextlib
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from hpo.config.schema import ExperimentConfig
from hpo.events.callback import Callback
from hpo.events.state import ExperimentState
from hpo.events.text import again_text, best_name, best_text, clock, code_versions_text, counts_text
from hpo.events.training_legs import schedule_of
from hpo.events.types import Event
from hpo.history.device_use import limited_use_text
from hpo.history.follower import Snapshot
from hpo.history.live_board import Board
from hpo.results.hypervolume import hypervolume_text
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import Store
from hpo.watching.frames import experiment_frame
from hpo.watching.notebook import HEIGHT, WIDTH, NotebookView, in_notebook
from hpo.watching.plain_lines import PlainLines, say

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

Result = TypeVar("Result")

TICK = 2.0


def progress_display(config: ExperimentConfig, directory: Path | None = None) -> Callback:
    """Return the display that suits standard output.

    Args:
        config: Configuration of the experiment.
        directory: Directory of the experiment, from which a resumed one reads its earlier events.
    """
    if in_notebook():
        return NotebookTable(config, directory)
    return LiveTable(config, directory) if sys.stdout.isatty() else PlainLines(config, failures=False)


class _Table(Callback, ABC):
    """A live view that is redrawn after events, at most every `draw_every` seconds.

    Args:
        config: Configuration of the experiment.
        directory: Directory of the experiment; see `progress_display`.
    """

    draw_every: ClassVar[float]
    """Smallest number of seconds between two frames."""

    def __init__(self, config: ExperimentConfig, directory: Path | None = None) -> None:
        self._board = Board(config)
        self._directory = directory
        self._drawn = 0.0
        self._dirty = True

    def on_open(self, state: ExperimentState) -> None:
        """See `Callback.on_open`; starts the view."""
        if state.trials and self._directory is not None:  # resumed: this process has not seen its earlier events
            with contextlib.closing(Store(ExperimentDirectory(self._directory).events, read_only=True)) as store:
                self._board.apply_all(store.read())

    def on_event(self, event: Event) -> None:
        """See `Callback.on_event`; notes that the view has to be redrawn."""
        self._dirty = True
        self._board.apply(event)

    def on_idle(self) -> float | None:
        """See `Callback.on_idle`; redraws the view if it is time to, and returns when the next redraw is due."""
        left = self._drawn + (self.draw_every if self._dirty else TICK) - time.monotonic()
        if left > 0:
            return left
        self._drawn, self._dirty = time.monotonic(), False
        self._draw()
        return TICK

    @abstractmethod
    def _draw(self) -> None:
        """Draw the board."""


class LiveTable(_Table):
    """The live view on a terminal."""

    draw_every = 0.25
    _live: "Live | None" = None

    def on_open(self, state: ExperimentState) -> None:
        """See `Callback.on_open`; starts the view."""
        from rich.live import Live

        super().on_open(state)
        self._live = Live(auto_refresh=False, transient=True)  # text that is printed meanwhile appears above it
        self._live.start()

    def on_close(self) -> None:
        """See `Callback.on_close`; removes the view, after which the summary is printed."""
        if self._live is not None:
            self._live.stop()

    def _draw(self) -> None:
        if self._live is not None:
            size = self._live.console.size
            self._live.update(live_frame(self._board, size.width, size.height), refresh=True)


class NotebookTable(_Table):
    """The live view in a notebook, whose last frame stays."""

    draw_every = 0.5

    def on_open(self, state: ExperimentState) -> None:
        """See `Callback.on_open`; starts the view."""
        super().on_open(state)
        self._view = NotebookView()
        self._draw()

    def on_close(self) -> None:
        """See `Callback.on_close`; draws the last frame."""
        self._draw()

    def _draw(self) -> None:
        self._view.show(live_frame(self._board, WIDTH, HEIGHT))


def live_frame(board: Board, width: int, height: int) -> "Group":
    """Return the frame of an experiment that is running or has just ended."""
    over = board.state.finished is not None
    condition = board.state.status if over else "running"
    return experiment_frame(Snapshot(board, condition, "", board.elapsed(running=not over)), width, height - 1)


def summary(
    config: ExperimentConfig, state: ExperimentState, directory: Path, reason: str | None, skipped: bool = False
) -> str:
    """Return the closing lines: why it ended, the best configuration, trials by state, time, worker utilisation."""
    name = f"{config.benchmark.name} · {config.method.name} · seed {config.seed}"
    ended = f"{state.status}: {reason}" if reason else "interrupted; the same command resumes it"
    if skipped:
        ended = (
            f"had finished already ({reason})" if state.status == "complete" else f"has {state.status} before: {reason}"
        )
    n_workers = config.n_workers or config.benchmark.n_workers
    available = state.available_seconds(n_workers)
    again = f"  again    {text}\n" if (text := again_text(state)) else ""
    versions = f"  code     {text}\n" if (text := code_versions_text(state)) else ""
    legs = len(schedule_of(state))
    schedule = f"  schedule {legs} legs, in {ExperimentDirectory(directory).schedule.name}\n" if legs > 1 else ""
    devices = f"  devices  {text}\n" if (text := limited_use_text(config, state)) else ""
    used = f"{state.busy_seconds() / available:.0%}" if available > 0 else "–"
    return (
        f"{name}: {ended}\n"
        f"  {best_name(state):<9}{best_text(state)}{hypervolume_text(config, state.front)}\n"
        f"{schedule}"
        f"  trials   {counts_text(state)}\n"
        f"{again}"
        f"{versions}"
        f"  time     {clock(state.elapsed)}, {n_workers} worker(s) busy {used} of it, random_seed={config.random_seed}\n"
        f"{devices}"
        f"  files    {directory}"
    )


def counted(results: Generator[Result, None, None], total: int) -> Generator[Result, None, None]:
    """Yield the results of a batch and show the progress: a bar on a terminal, otherwise a line for every tenth."""
    begin = time.monotonic()
    bar = _bar(total) if sys.stdout.isatty() else contextlib.nullcontext()
    with bar as advance, contextlib.closing(results):
        for done, result in enumerate(results, 1):
            if advance is not None:
                advance()
            elif done * 10 // total > (done - 1) * 10 // total:
                say(f"{done} of {total} simulated experiments, {clock(time.monotonic() - begin)}")
            yield result


@contextlib.contextmanager
def _bar(total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar and give a function that advances it by one."""
    from rich import progress as bars

    with bars.Progress(
        bars.TextColumn("simulated experiments"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
    ) as progress:
        task = progress.add_task("simulated experiments", total=total)
        yield lambda: progress.advance(task)
