"""Following experiments from their event stores alone: new events since the last look, never a lock, never a write.

The store is opened for each look and closed after it, so that the writer finds itself alone when it merges its log, and
each look holds the file for as long as it takes to fetch a batch of rows.
"""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hpo.config import ExperimentConfig, read_config
from hpo.directory import ExperimentDirectory
from hpo.errors import StoreError
from hpo.results import find_experiments
from hpo.sqlitefile import is_busy
from hpo.state import ExperimentState
from hpo.store import Store
from hpo.tags import read_tag
from hpo.trial import Event
from hpo.watching.boards import Board
from hpo.watching.frames import Seen

BATCH = 2000


class Follower:
    """One experiment, followed.

    Args:
        directory: of the experiment.
        on_event: is told each event that came since the first look.

    Raises:
        ConfigError: its experiment.yaml cannot be read.
    """

    def __init__(self, directory: Path, on_event: Callable[[Event], None] | None = None) -> None:
        self.files = ExperimentDirectory(directory)
        self.config: ExperimentConfig = read_config(self.files.config)
        self.on_event = on_event
        self.sequence = 0
        self._first: float | None = None  # when the first event was made: another one, another experiment
        self._empty_board()

    def _empty_board(self) -> None:
        self.sequence, self._first = 0, None
        self.state = ExperimentState(self.config.objective)
        self.board = Board(self.config, self.state)

    def advance(self) -> int:
        """Take in what is new. Returns how many events that were.

        Raises:
            StoreError: the store is damaged.
        """
        if not self.files.events.is_file():
            return 0
        try:
            store = Store(self.files.events, read_only=True)
        except StoreError as error:
            if is_busy(error.__cause__) or not self.files.events.is_file():
                return 0
            raise
        try:
            return self._read(store)
        except StoreError as error:
            if is_busy(error.__cause__):
                return 0
            raise
        finally:
            store.close()

    def _read(self, store: Store) -> int:
        first = store.read_batch(0, 1)
        if not first:
            return 0
        if self._first is not None and self._first != first[0][1].time:  # overwrite=true began anew
            self.config = read_config(self.files.config)
            self._empty_board()
        self._first = first[0][1].time
        known = count = self.sequence
        while batch := store.read_batch(count, BATCH):
            for _, event in batch:
                self.state.apply(event)
                self.board.apply(event)
                if known and self.on_event is not None:
                    self.on_event(event)
            count = self.sequence = batch[-1][0]
            if len(batch) < BATCH:
                break
        return count - known

    @property
    def complete(self) -> bool:
        """Is there nothing more to come?"""
        return self.state.finished is not None

    def seen(self) -> Seen:
        """The experiment at this moment."""
        condition, detail = self.condition()
        elapsed = self.board.elapsed(condition == "running")
        use = {}
        if condition == "running" and self.board.gpus and self.board.host == socket.gethostname():
            from hpo.backends.gpus import gpu_use

            use = gpu_use(self.board.gpus)
        return Seen(self.board, condition, detail, elapsed, use)

    def condition(self) -> tuple[str, str]:
        """State and detail, found without touching the experiment's lock."""
        if self.complete:
            return "complete", ""
        if not self.sequence:
            return "waiting", "no events here yet" + (
                "; hpo sync brings those of a remote job" if (self.files.path / "launch.json").is_file() else ""
            )
        metadata = _content(self.files.metadata)
        error = metadata.get("error")
        gone = f"{error}; its command goes on with it" if error else "its command goes on with it"
        if metadata.get("status") == "interrupted":
            return "interrupted", gone
        if self.board.host == socket.gethostname():
            return ("running", "") if is_owned(self.files) else ("interrupted", gone)
        return "running", f"on {self.board.host}" if self.board.host else ""


def discover(place: str) -> list[Path]:
    """The experiments of a directory or tag, found without walking through their trials.

    Raises:
        StoreError: there are none.
    """
    for base in (Path(place), Path("outputs") / place):
        for depth in range(4):
            found = sorted(path.parent for path in base.glob("*/" * depth + "experiment.yaml"))
            if found:
                return found
    return find_experiments(place)


def is_sweep_open(place: str) -> bool:
    """Does the command that made a tag say that it has not come to its end yet?"""
    known = [read_tag(base) for base in (Path(place), Path("outputs") / place)]
    return any(record.get("complete") is False for record in known)


def is_owned(files: ExperimentDirectory) -> bool:
    """Does a tuner of this machine work here? Found without trying the lock, which would be in a tuner's way.

    The kernel lists who holds locks, by inode; where a file system shows another inode, the tuner's note names its process.
    """
    try:
        inode = str(files.lock.stat().st_ino)
        held = [line.split()[5].rpartition(":")[2] for line in Path("/proc/locks").read_text().splitlines()]
    except (OSError, IndexError):
        held, inode = [], ""
    return inode in held or Path(f"/proc/{_content(files.owner).get('pid', 'none')}").exists()


def _content(path: Path) -> dict[str, Any]:
    """A JSON object, or nothing where there is none."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
