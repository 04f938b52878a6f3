"""Following experiments from their event stores alone: new events since the last look, never a lock, never a write.

The store is opened for each look and closed after it, so that the writer finds itself alone when it merges its log, and
each look holds the file for as long as it takes to fetch a batch of rows.
"""

import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hpo.config.reading import read_config
from hpo.config.schema import ExperimentConfig
from hpo.errors import StoreError
from hpo.events.state import ExperimentState
from hpo.events.values import Event
from hpo.history.boards import Board
from hpo.history.conditions import condition_of
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import Store
from hpo.store.sqlitefile import is_busy


@dataclass(frozen=True, slots=True)
class Seen:
    """An experiment at one moment."""

    board: Board
    condition: str
    """Such as `running`."""
    detail: str
    """More about that, or nothing."""
    elapsed: float
    gpu_use: Mapping[str, int] = field(default_factory=dict)
    """Percent that each GPU is busy, where that is known."""


BATCH = 2000


class Follower:
    """One experiment, followed.

    Args:
        directory: of the experiment.
        board: what is kept of it.

    Raises:
        ConfigError: its experiment.yaml cannot be read.
    """

    def __init__(self, directory: Path, board: Callable[[ExperimentConfig], Board] = Board) -> None:
        self.files = ExperimentDirectory(directory)
        self._new_board = board
        self.on_event: Callable[[Event], None] | None = None
        """Is told each event that came since the first look."""
        self._begin()

    def _begin(self) -> None:
        self.config = read_config(self.files.config)
        self.board = self._new_board(self.config)
        self.sequence = 0
        self.began: float | None = None
        """Unix time of the first event: another one, another experiment."""
        self.more = False
        """The last look has ended before the log did."""

    def check(self) -> None:
        """Go through all events again, without taking them in: what was read may be damaged since.

        Raises:
            StoreError: it is.
        """
        with contextlib.closing(Store(self.files.events, read_only=True)) as store:
            store.check()

    def advance(self, batches: int | None = None) -> int:
        """Take in what is new. Returns how many events that were.

        Args:
            batches: how many times `BATCH` events at most; None: all.

        Raises:
            StoreError: the store is damaged.
        """
        self.more = False
        try:
            if os.path.lexists(self.files.events):
                with contextlib.closing(Store(self.files.events, read_only=True)) as store:
                    return self._read(store, batches)
        except StoreError as error:
            if not is_busy(error.__cause__) and os.path.lexists(self.files.events):
                raise
        return 0

    def _read(self, store: Store, batches: int | None) -> int:
        if not (first := store.read_batch(0, 1)):
            return 0
        if self.began is not None and self.began != first[0][1].time:  # overwrite=true began anew
            self._begin()
        self.began = first[0][1].time
        known = self.sequence
        taken = 0
        while (batches is None or taken < batches) and (batch := store.read_batch(self.sequence, BATCH)):
            taken += 1
            for _, event in batch:
                self.board.apply(event)
                if known and self.on_event is not None:
                    self.on_event(event)
            self.sequence = batch[-1][0]
            self.more = store.cut
            if not self.more:
                break
        return self.sequence - known

    @property
    def state(self) -> ExperimentState:
        """All trials and the incumbent."""
        return self.board.state

    @property
    def over(self) -> bool:
        """Is there nothing more to come?"""
        return self.state.finished is not None

    def seen(self) -> Seen:
        """The experiment at this moment."""
        condition, detail = self.condition()
        use = {}
        if condition == "running" and self.board.gpus and self.board.host == socket.gethostname():
            from hpo.backends.gpus import gpu_use

            use = gpu_use(self.board.gpus)
        return Seen(self.board, condition, detail, self.board.elapsed(condition == "running"), use)

    def condition(self) -> tuple[str, str]:
        """State and detail, found without touching the experiment's lock."""
        found = condition_of(self.files, self.state, host=self.board.host, has_events=self.sequence > 0)
        return found.name, found.detail
