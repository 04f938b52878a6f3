"""Incremental reading of one experiment's log, with messages that are encoded once for all pages.

One thread at a time uses a `Feed`; pages read the finished bytes and numbers in `Feed.shown`.
"""

import logging
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

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
    """The state of an experiment, as encoded for the pages, since its last change."""

    board: bytes = b"null"
    row: bytes = b"null"
    trouble: str = ""
    """Sentence that says why the experiment cannot be read; empty if it can."""
    generation: str = ""
    """Identity of the log; a log that replaces it has another one."""
    sequence: int = 0
    """Number of the last event."""
    reports: int = 0
    """Number of reports."""
    condition: str = "reading"
    complete: bool = False
    """Whether the whole log has been read."""

    @property
    def key(self) -> tuple[object, ...]:
        """Value that changes when pages must be told something; the passing of time does not change it."""
        return (self.generation, self.sequence, self.condition, self.trouble, self.complete)


UNSETTLED = 100_000_000
"""Nanoseconds within which a file can change twice and keep the same time and size, since file systems' clocks are coarse."""

MOST_SHOWN = 256 << 10
"""Largest size in bytes of an `experiment.yaml` that is read for a page; a larger one would take many seconds to parse."""
RETRY = 30.0
"""Seconds after which unreadable files are tried again even if they have not changed."""

PROGRESS = 0.25
"""Seconds between two messages about how far a long log has been read; a message costs as much as reading a part of it."""

_NOTHING = Record(Objective("", "min", None))


class Feed:
    """Reader of one experiment's log, which resumes where its last look ended.

    Args:
        directory: Directory of the experiment.
    """

    def __init__(self, directory: Path) -> None:
        self.files = ExperimentDirectory(directory)
        self.follower: Follower | None = None
        noted = noted_row(self.files)
        self.noted: str = noted["noted"]
        """Condition of the experiment according to its metadata."""
        self.shown = Shown(row=encoded(noted))
        self.cost = 0.0
        """CPU seconds that the last look took."""
        self._signature: _Signature = ()
        self._attempted: _Signature = ()
        self._refused: tuple[_Signature, float, str] = (), 0.0, ""
        """State of the files that could not be read, when to try them again, and the reason."""
        self.settled = False
        """Whether everything written before the last look has certainly been read; if not, look again a moment later."""
        self._told: tuple[object, ...] = ()
        self._showed = -PROGRESS

    @property
    def record(self) -> Record:
        """Record of the events read so far; empty before the first look."""
        board = self.follower.board if self.follower is not None else None
        return board.record if isinstance(board, RecordingBoard) else _NOTHING

    def look(self) -> bool:
        """Read at most one batch of new events and return whether there are more."""
        began = time.thread_time()
        more = False
        self._attempted = ()
        try:
            more = self._advance()
            trouble = ""
        except ConfigError as error:  # may quote the file: log it, but do not send it to pages
            log.info("cannot read an experiment: %s", error)
            trouble = self._unreadable(error)
        except HPOError as error:
            trouble = str(error)
        except Exception as error:  # any damage: the experiment's page says so, other pages continue
            log.exception("%s: cannot be read", self.files.path)
            trouble = self._unshown(error)
        now = time.monotonic()
        if trouble and self._attempted:
            self._refused = self._attempted, now + RETRY, trouble
        if more and not trouble and now - self._showed < PROGRESS:
            self.cost = time.thread_time() - began
            return True
        self._showed = now
        try:
            self._show(trouble, more)
        except Exception as error:
            log.exception("%s: cannot be shown", self.files.path)
            self.shown = replace(self.shown, trouble=self._unshown(error), complete=True)
        self.cost = time.thread_time() - began
        return more

    def forget(self) -> None:
        """Free the experiment's state but keep what is shown; a later look reads the log from its beginning."""
        self.follower = None
        self._signature = ()
        self._told = ()
        self.shown = replace(self.shown, complete=False)

    def subject(self) -> FollowedExperiment | None:
        """Return the experiment as charts and tables need it, or None if nothing could be read."""
        if self.follower is None or not self.follower.sequence:
            return None
        config, state = self.follower.board.config, self.follower.state
        return FollowedExperiment(self.files.path, config, read_metadata(self.files), state, self.record)

    def check_place(self) -> None:
        """Raise HPOError if a folder on the path to the experiment has been replaced by a link."""
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
        refused, until, trouble = self._refused
        if signature == refused and time.monotonic() < until:
            raise HPOError(trouble)
        if _is_settled(now, signature):
            self._attempted = signature
        configuration, events = signature[0], signature[1]
        if configuration.size > MOST_SHOWN:
            raise HPOError(
                f"{self.files.config}: has more than {MOST_SHOWN:,} bytes, too many for the page; see hpo status"
            )
        if (configuration,) != self._signature[:1] or _is_other(events, *self._signature[1:2]):
            self.follower = None  # another budget, another experiment, or another log
        if self.follower is None:
            self._signature = (configuration,)
            self.follower = Follower(self.files.path, RecordingBoard)
        elif signature == self._signature and settled:
            return False
        taken = self.follower.advance(batches=1)
        more = self.follower.more
        if not more:
            if not taken and self._signature[1:] not in ((), signature[1:]) and self.follower.over:
                self.follower.check()  # it has finished, and yet something was written
            self._signature = signature  # taken before the read, so that later changes differ from it
            self.settled = _is_settled(now, signature)
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
            return  # nothing new but the time, which pages count themselves
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


class _FileState(NamedTuple):
    """Status of a file that differs after a change, read without opening it; nobody can set the time of the change back."""

    changed: int
    size: int
    inode: int


_Signature = tuple[_FileState, ...]
_ABSENT = _FileState(0, 0, 0)


def _signature(files: ExperimentDirectory) -> _Signature:
    """Return the state of the configuration file and of the event log's files."""

    def of(path: str) -> _FileState:
        try:
            found = os.lstat(path)  # not Path.stat: this runs many times a second
        except OSError:
            return _ABSENT
        return _FileState(found.st_ctime_ns, found.st_size, found.st_ino)

    name = str(files.events)
    return (of(str(files.config)), of(name), of(f"{name}-wal"), of(f"{name}-journal"))


def _is_settled(now: int, signature: _Signature) -> bool:
    """Whether any change after the time `now` would also change the signature."""
    return abs(now - max(state.changed for state in signature)) > UNSETTLED


def _is_other(events: _FileState, before: _FileState | None = None) -> bool:
    """Whether an event log is gone, was replaced or has become shorter since it was seen before."""
    if before is None or before == _ABSENT:
        return before is None and events == _ABSENT
    return events.inode != before.inode or events.size < before.size
