"""`hpo watch` and `hpo.follow`: read experiments when files change, redraw at a limited rate, end with the last."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.errors import ConfigError, StoreError
from hpo.events.text import best_name, best_text, clock, counts_text
from hpo.history.conditions import ERROR
from hpo.history.follower import Follower, Snapshot
from hpo.results.experiments import Experiments, load_experiments
from hpo.results.hypervolume import hypervolume_text
from hpo.store.experiment_paths import find_experiments, is_sweep_open
from hpo.store.inotify import CREATE, MODIFY, MOVED_TO, ONE_SHOT, open_inotify
from hpo.store.tags import OUTPUTS
from hpo.watching.frames import sweep_frame
from hpo.watching.notebook import HEIGHT, WIDTH, NotebookView, in_notebook
from hpo.watching.plain_lines import PlainLines, say

if TYPE_CHECKING:
    from rich.console import Console

TICK = 1.0
"""Seconds between redraws of running clocks, and between looks at files if the kernel does not report changes."""
FIND_EVERY = 2.0
"""Seconds between searches for new experiments of a sweep."""
SHARE = 0.04
"""Largest share of time spent on looking and drawing; slow looks happen less often."""


class Watch:
    """A live view of the experiments of a directory or tag.

    Args:
        place: Directory or tag.
        interval: Smallest number of seconds between two frames.

    Raises:
        ConfigError: `interval` is out of range.
        StoreError: There is no experiment.
    """

    def __init__(self, place: str, interval: float = 0.5) -> None:
        if not 0.05 <= interval <= 3600:
            raise ConfigError(f"--interval {interval:g}: use seconds from 0.05 to 3600")
        self.place = place
        self.interval = interval
        self.followers: dict[Path, Follower] = {}
        self._found = 0.0
        self._find()

    def _find(self) -> None:
        """Search for new experiments and follow them."""
        self._found = time.monotonic()
        self.followers |= {path: Follower(path) for path in find_experiments(self.place) if path not in self.followers}

    def once(self, console: "Console") -> None:
        """Print one frame."""
        self._advance()
        console.print(sweep_frame(self._seen(), console.width, 10_000))

    def live(self, console: "Console") -> None:
        """Keep a frame up to date until all experiments have finished."""
        from rich.live import Live

        with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=True) as live:
            self._follow(
                lambda: live.update(
                    sweep_frame(self._seen(), console.size.width, console.size.height - 1), refresh=True
                )
            )

    def in_cell(self) -> None:
        """Keep a frame up to date below a notebook's cell, until all experiments have finished."""
        view = NotebookView()
        self._follow(lambda: view.show(sweep_frame(self._seen(), WIDTH, HEIGHT)))

    def lines(self) -> None:
        """Print plain lines about the experiments until all have finished."""
        told: dict[Path, str] = {}

        def tell() -> None:
            for path, follower in self.followers.items():
                if follower.on_event is None:
                    self._announce(follower)
                if told.get(path) in ("complete", "failed"):
                    continue
                condition, detail = follower.condition()
                if condition != told.get(path) and condition in ("complete", "failed", "interrupted", ERROR):
                    say(f"{_name(follower)}: {condition}: {follower.state.finished or detail}")
                told[path] = condition

        self._follow(tell)

    def _announce(self, follower: Follower) -> None:
        seen, state, name = follower.seen(), follower.state, _name(follower)
        best = f"{best_name(state)} {best_text(state)}{hypervolume_text(follower.config, state.front)}"
        say(f"{name}: {seen.condition} {clock(seen.elapsed)}, {counts_text(state)}, {best}")
        plain = PlainLines(follower.config, f"{name}: ", follower.files.path)
        plain.attach(state)
        follower.on_event = plain.on_event

    def _seen(self) -> list[Snapshot]:
        return [follower.seen() for follower in self.followers.values()]

    def _advance(self) -> None:
        for follower in self.followers.values():
            if not follower.over or not follower.sequence:
                follower.advance()

    def _follow(self, draw: Callable[[], None]) -> None:
        with contextlib.closing(_Bell()) as bell:
            while True:
                began = time.process_time()
                if time.monotonic() - self._found >= FIND_EVERY:
                    with contextlib.suppress(
                        StoreError
                    ):  # keep what is known: an experiment may be overwritten at this moment
                        self._find()
                bell.arm([path for path, follower in self.followers.items() if not follower.over])
                self._advance()
                draw()
                if all(follower.over for follower in self.followers.values()) and not is_sweep_open(self.place):
                    return
                time.sleep(max(self.interval, (time.process_time() - began) / SHARE))
                bell.wait(TICK)


def _name(follower: Follower) -> str:
    return f"{follower.config.benchmark.name} {follower.config.method.name} seed {follower.config.seed}"


class _Bell:
    """A bell that rings when a file in one of several folders changes; each folder rings once, then is armed again."""

    def __init__(self) -> None:
        self._inotify = open_inotify(f"the event store is looked at every {TICK:.1f} s", logging.INFO)

    def arm(self, folders: Sequence[Path]) -> None:
        """Start to listen for changes in some folders."""
        for folder in folders if self._inotify is not None else ():
            with contextlib.suppress(OSError):  # the folder is gone, or there are too many; the tick makes up for it
                self._inotify.add_watch(folder, MODIFY | CREATE | MOVED_TO | ONE_SHOT)

    def wait(self, seconds: float) -> None:
        """Return at the next change, at once if there was one since `arm`, or after so many seconds."""
        if self._inotify is None:
            time.sleep(seconds)
        else:
            self._inotify.read(timeout=int(seconds * 1000))

    def close(self) -> None:
        """Stop listening for changes."""
        if self._inotify is not None:
            self._inotify.close()


def watch(place: str, *, once: bool = False, interval: float = 0.5) -> None:
    """Show experiments until all have finished.

    Args:
        place: A directory, or a tag under outputs/.
        once: Whether to print one frame and return.
        interval: Smallest number of seconds between frames.

    Raises:
        ConfigError: `interval` is out of range.
        StoreError: There is no experiment.
    """
    from rich.console import Console

    watching = Watch(place, interval)
    console = Console(highlight=False)
    if once:
        watching.once(console)
    elif in_notebook():
        watching.in_cell()
    elif sys.stdout.isatty():
        watching.live(console)
    else:
        watching.lines()


def follow(place: str | Path = OUTPUTS) -> Experiments:
    """Show experiments until all have finished, or until Ctrl-C or the interruption of a notebook's cell.

    Args:
        place: A directory, or a tag under outputs/.

    Returns:
        The experiments in their state at the end.

    Raises:
        StoreError: There is no experiment, or one is damaged.
    """
    with contextlib.suppress(KeyboardInterrupt):
        watch(str(place))
    return load_experiments(place)
