"""What a person sees while an experiment runs, and when it is over.

On a terminal a live view that `hpo watch` shows too, elsewhere plain lines.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hpo.config.schema import ExperimentConfig
from hpo.events.callback import Callback
from hpo.events.state import ExperimentState
from hpo.events.values import Event
from hpo.events.wording import again_text, best_text, clock, counts_text
from hpo.history.boards import Board
from hpo.history.following import Seen
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import Store
from hpo.watching.frames import experiment_frame
from hpo.watching.lines import PlainLines, say

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

Result = TypeVar("Result")

DRAW_EVERY = 0.25
TICK = 2.0


def progress_display(config: ExperimentConfig, directory: Path | None = None) -> Callback:
    """The display that suits standard output.

    Args:
        config: of the experiment.
        directory: of the experiment, where a resumed one finds what was before.
    """
    return LiveTable(config, directory) if sys.stdout.isatty() else PlainLines(config, directory=directory)


class LiveTable(Callback):
    """For terminals.

    Args:
        config: of the experiment.
        directory: of the experiment; see `progress_display`.
    """

    def __init__(self, config: ExperimentConfig, directory: Path | None = None) -> None:
        self._config = config
        self._directory = directory
        self._board: Board | None = None
        self._live: Live | None = None
        self._drawn = 0.0
        self._dirty = True

    def on_open(self, state: ExperimentState) -> None:
        """Put the view up."""
        from rich.live import Live

        self._board = Board(self._config)
        if state.trials and self._directory is not None:  # a resumed one, of which this process has seen no event
            with contextlib.closing(Store(ExperimentDirectory(self._directory).events, read_only=True)) as store:
                self._board.apply_all(store.read())
        self._live = Live(auto_refresh=False, transient=True)  # what is written meanwhile goes above it
        self._live.start()

    def on_event(self, event: Event) -> None:
        """Something to draw at the next opportunity."""
        self._dirty = True
        if self._board is not None:
            self._board.apply(event)

    def on_idle(self) -> float | None:
        """Draw if it is time to, and say when it will be."""
        left = self._drawn + (DRAW_EVERY if self._dirty else TICK) - time.monotonic()
        if left > 0:
            return left
        self._draw()
        return TICK

    def on_close(self) -> None:
        """Take the view down; the summary follows."""
        if self._live is not None:
            self._live.stop()

    def _draw(self) -> None:
        self._drawn, self._dirty = time.monotonic(), False
        if self._live is not None and self._board is not None:
            size = self._live.console.size
            self._live.update(live_frame(self._board, size.width, size.height), refresh=True)


def live_frame(board: Board, width: int, height: int) -> "Group":
    """The view of a running experiment."""
    return experiment_frame(Seen(board, "running", "", board.elapsed(running=True)), width, height - 1)


def summary(
    config: ExperimentConfig, state: ExperimentState, directory: Path, reason: str | None, skipped: bool = False
) -> str:
    """The closing lines: why it ended, the best configuration, trials by state, time, worker utilisation."""
    name = f"{config.benchmark.name} · {config.method.name} · seed {config.seed}"
    ended = f"{state.status}: {reason}" if reason else "interrupted; the same command goes on"
    if skipped:
        ended = (
            f"was complete already ({reason})" if state.status == "complete" else f"has {state.status} before: {reason}"
        )
    n_workers = config.n_workers or config.benchmark.n_workers
    available = state.available_seconds(n_workers)
    again = f"  again    {text}\n" if (text := again_text(state)) else ""
    used = f"{state.busy_seconds() / available:.0%}" if available > 0 else "–"
    return (
        f"{name}: {ended}\n"
        f"  best     {best_text(state)}\n"
        f"  trials   {counts_text(state)}\n"
        f"{again}"
        f"  time     {clock(state.elapsed)}, {n_workers} worker(s) busy {used} of it, random_seed={config.random_seed}\n"
        f"  files    {directory}"
    )


def counted(results: Generator[Result, None, None], total: int) -> Generator[Result, None, None]:
    """Pass the results of a batch on and show how far it is: a bar on a terminal, else a line every tenth."""
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
    """Shows a bar; what is given moves it on by one."""
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
