"""Following running experiments by reading new events from their event stores, without locks and without writing.

The store is opened for each read and closed after it, so that the writer can merge its write-ahead log when no reader
is there. Each read holds the file only for as long as it takes to fetch a batch of rows.
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
from hpo.events.types import Event
from hpo.history.conditions import condition_of
from hpo.history.live_board import Board
from hpo.results.confirmed import confirmed_text
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import Store
from hpo.store.sqlite_file import is_busy


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a followed experiment at one moment."""

    board: Board
    condition: str
    """Condition of the experiment in one word, such as `running`."""
    detail: str
    """Details of the condition; may be empty."""
    elapsed: float
    gpu_use: Mapping[str, int] = field(default_factory=dict)
    """Utilisation of each GPU in percent, if known."""
    confirmed: str = ""
    """Result of a confirmation of the incumbent, in words; empty without one."""


BATCH = 2000


class Follower:
    """A reader that follows one experiment through its event store.

    Args:
        directory: Directory of the experiment.
        board: Function that creates the board which the events update.

    Raises:
        ConfigError: The stored experiment.yaml cannot be read.
    """

    def __init__(self, directory: Path, board: Callable[[ExperimentConfig], Board] = Board) -> None:
        self.files = ExperimentDirectory(directory)
        self._new_board = board
        self.on_event: Callable[[Event], None] | None = None
        """Function that is called with each event after the first read."""
        self._begin()

    def _begin(self) -> None:
        self.config = read_config(self.files.config)
        self.board = self._new_board(self.config)
        self.sequence = 0
        self.began: float | None = None
        """Unix time of the first event; if it changes, another experiment has taken the directory."""
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
        """Read new events and return their number.

        Args:
            batches: Largest number of batches of `BATCH` events; None: all.

        Raises:
            StoreError: The store is damaged.
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
        if self.began is not None and self.began != first[0][1].time:  # overwrite=true started a new experiment here
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
        """The trials and the incumbent of the experiment."""
        return self.board.state

    @property
    def over(self) -> bool:
        """Whether the experiment has finished, so that no more events will come."""
        return self.state.finished is not None

    def seen(self) -> Snapshot:
        """Return the state of the experiment at this moment."""
        condition, detail = self.condition()
        use = {}
        if condition == "running" and self.board.gpus and self.board.host == socket.gethostname():
            from hpo.backends.gpus import gpu_use

            use = gpu_use(self.board.gpus)
        elapsed, told = self.board.elapsed(condition == "running"), confirmed_text(self.files, self.board.state)
        return Snapshot(self.board, condition, detail, elapsed, use, told)

    def condition(self) -> tuple[str, str]:
        """Return the experiment's condition and details, without using its lock."""
        found = condition_of(self.files, self.state, host=self.board.host, has_events=self.sequence > 0)
        return found.name, found.detail
