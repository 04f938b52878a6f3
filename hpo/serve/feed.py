"""One experiment that pages look at: read on from its log, with what is sent of it made once for all pages.

All of it happens in one thread at a time; pages get finished bytes and numbers from `Feed.shown`.
"""

import logging
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from hpo.errors import ConfigError, HPOError
from hpo.events.objective import Objective
from hpo.history.follower import Follower
from hpo.history.record import FollowedExperiment, Record, RecordingBoard
from hpo.results.files import read_metadata
from hpo.serve.views import board_view, noted_row, row_view
from hpo.serve.wire import encoded
from hpo.store.directory import ExperimentDirectory
from hpo.store.untrusted import UnsafeFileError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """What pages are told of an experiment since its last change."""

    board: bytes = b"null"
    row: bytes = b"null"
    trouble: str = ""
    """A sentence, where it cannot be read, or is not there any more."""
    generation: str = ""
    """Which log it is: another one in the same place has another."""
    sequence: int = 0
    """Of the last event."""
    reports: int = 0
    """How many reports there are."""
    condition: str = "reading"
    complete: bool = False
    """All of the log is read."""

    @property
    def key(self) -> tuple[object, ...]:
        """What is another one when there is something to tell; clocks go on by themselves."""
        return (self.generation, self.sequence, self.condition, self.trouble, self.complete)


UNSETTLED = 100_000_000
"""Nanoseconds in which a file can change again with the same time and size: clocks of file systems are coarse."""

PROGRESS = 0.25
"""Seconds between two words on how far a long log has been read: saying it costs as much as reading some of it."""

_NOTHING = Record(Objective("", "min", None))


class Feed:
    """An experiment and how far its log has been read.

    Args:
        directory: of the experiment.
    """

    def __init__(self, directory: Path) -> None:
        self.files = ExperimentDirectory(directory)
        self.follower: Follower | None = None
        noted = noted_row(self.files)
        self.noted: str = noted["noted"]
        """Its state as its metadata has it."""
        self.shown = Shown(row=encoded(noted))
        self.cost = 0.0
        """Seconds of the processor that the last look took."""
        self._signature: tuple[tuple[int, int], ...] = ()
        self.settled = False
        """All that was written is read for certain; if not, a look a moment later will tell."""
        self._told: tuple[object, ...] = ()
        self._showed = -PROGRESS

    @property
    def record(self) -> Record:
        """The record of what was read; an empty one before."""
        board = self.follower.board if self.follower is not None else None
        return board.record if isinstance(board, RecordingBoard) else _NOTHING

    def look(self) -> bool:
        """Take in what is new, a batch at most. Returns whether there is more."""
        began = time.thread_time()
        more = False
        try:
            more = self._advance()
            trouble = ""
        except ConfigError as error:  # it may quote the file, which is told to whoever sees the terminal and to no page
            log.info("%s", error)
            trouble = self._unreadable(error)
        except HPOError as error:
            trouble = str(error)
        except Exception as error:  # whatever a damaged file is: its page says so, and the others go on
            log.exception("%s", self.files.path)
            trouble = self._unshown(error)
        now = time.monotonic()
        if more and not trouble and now - self._showed < PROGRESS:
            self.cost = time.thread_time() - began
            return True
        self._showed = now
        try:
            self._show(trouble, more)
        except Exception as error:
            log.exception("%s", self.files.path)
            self.shown = replace(self.shown, trouble=self._unshown(error), complete=True)
        self.cost = time.thread_time() - began
        return more

    def forget(self) -> None:
        """Keep no more than what was shown; a later look reads the log again."""
        self.follower = None
        self._signature = self._told = ()
        self.shown = replace(self.shown, complete=False)

    def subject(self) -> FollowedExperiment | None:
        """For figures; None where nothing could be read."""
        if self.follower is None or not self.follower.sequence:
            return None
        config, state = self.follower.board.config, self.follower.state
        return FollowedExperiment(self.files.path, config, read_metadata(self.files), state, self.record)

    def check_place(self) -> None:
        """Raise HPOError if a folder on the way to the experiment has become a link, which would lead elsewhere."""
        if os.path.realpath(self.files.path) != str(self.files.path):
            raise HPOError(
                f"{self.files.path}: is not where it was found, a link is in its place; serve what that leads to"
            )

    def _unreadable(self, error: Exception) -> str:
        cause = error.__cause__ if isinstance(error.__cause__, UnsafeFileError) else None
        why = f"cannot be read ({cause.strerror})" if cause else "is not a configuration as hpo stores it"
        return f"{self.files.config}: {why}; hpo status says more"

    def _unshown(self, error: Exception) -> str:
        return f"{self.files.path}: cannot be shown ({type(error).__name__}); hpo status says more"

    def _advance(self) -> bool:
        settled, self.settled = self.settled, True
        if not os.path.lexists(self.files.config):
            self.forget()
            raise HPOError(f"{self.files.path}: the experiment is not here any more; it was moved or deleted")
        self.check_place()
        now, signature = time.time_ns(), _signature(self.files)
        configuration, events = signature[0], signature[1]
        if (configuration,) != self._signature[:1] or (events == _ABSENT and self._signature[1:2] != (_ABSENT,)):
            self.follower = None  # another budget, or another experiment
        if self.follower is None:
            self._signature = (configuration,)
            self.follower = Follower(self.files.path, RecordingBoard)
        elif signature == self._signature and settled:
            return False
        taken = self.follower.advance(batches=1)
        more = self.follower.more
        if not more:
            if not taken and self._signature[1:] not in ((), signature[1:]) and self.follower.over:
                self.follower.check()  # nothing more was to come, and yet something was written
            self._signature = signature  # taken before reading: what comes meanwhile is another one
            self.settled = abs(now - max(changed for changed, _ in signature)) > UNSETTLED
        return more

    def _show(self, trouble: str, more: bool) -> None:
        follower = self.follower
        if follower is None:
            row = {**noted_row(self.files), "condition": "missing", "detail": trouble}
            self.shown = Shown(row=encoded(row), trouble=trouble, condition="missing", complete=True)
            return
        condition, detail = follower.condition()
        told = (follower.began, follower.sequence, trouble, more, condition, detail)
        if told == self._told:
            return  # but for clocks, which go on by themselves
        self._told = told
        seen = follower.seen()
        if trouble:
            seen = replace(seen, condition="unreadable", detail=trouble)
        elif more:
            seen = replace(seen, condition="reading", detail=f"{follower.sequence:,} events read so far")
        self.shown = Shown(
            board=encoded({**board_view(seen), "sequence": follower.sequence, "at": time.time()}),
            row=encoded({**row_view(seen, self.record), "at": time.time()}),
            trouble=trouble,
            generation="" if follower.began is None else f"{follower.began:.6f}",
            sequence=follower.sequence,
            reports=len(self.record.reports.sequences),
            condition=seen.condition,
            complete=not more,
        )


_ABSENT = (0, 0)


def _signature(files: ExperimentDirectory) -> tuple[tuple[int, int], ...]:
    """By which it can be told, without opening them, that nothing was written to configuration and log."""

    def of(path: str) -> tuple[int, int]:
        try:
            found = os.lstat(path)  # many times a second
        except OSError:
            return _ABSENT
        return (found.st_mtime_ns, found.st_size)

    name = str(files.events)
    return (of(str(files.config)), of(name), of(f"{name}-wal"), of(f"{name}-journal"))
