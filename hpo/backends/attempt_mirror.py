"""A running attempt, copied to where its files are not seen: reports as they grow, archives of checkpoints, ends of logs."""

import contextlib
import logging
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from hpo.aws.archive import Stamps, pack_whole, stamps
from hpo.backends.report_channel import PREFIX
from hpo.config.schema import BenchmarkConfig
from hpo.store.directory import ExperimentDirectory

log = logging.getLogger(__name__)

LARGEST = 4 << 20
"""Bytes of a piece."""
MOST_OF_A_LOG = 1 << 20
KEPT = 2
"""Checkpoints of an attempt."""


@contextlib.contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do something in a thread, until the event that it is given says that it is over."""
    over = threading.Event()
    thread = threading.Thread(target=work, args=[over], daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Stream:
    """The bytes of an attempt's reports, as they grow: of a channel on standard output only the reports, without prefix.

    Args:
        path: the file.
        prefixed: it is such a channel.
    """

    def __init__(self, path: Path, *, prefixed: bool) -> None:
        self._path = path
        self._prefixed = prefixed
        self._read = 0
        self._rest = b""

    def more(self) -> bytes:
        """What is new."""
        if not self._path.is_file():
            return b""
        with self._path.open("rb") as file:
            file.seek(self._read)
            data = file.read(LARGEST)
        self._read += len(data)
        if not self._prefixed:
            return data
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LARGEST:
            self._rest = b""  # output without an end of line, which is no report
        found = (line.partition(PREFIX) for line in lines)
        return b"".join(line + b"\n" for _, prefix, line in found if prefix)


class Outlet(Protocol):
    """Where the copies go."""

    def send(self, start: int, piece: bytes) -> None:
        """The bytes of the attempt's reports from `start` on."""

    def save(self, number: int, position: int, archive: Path) -> str:
        """Checkpoint `number`, made when there were `position` bytes of reports. Returns a name for it.

        Raises:
            OSError: it cannot be saved now.
        """

    def remove(self, name: str) -> None:
        """A checkpoint that later ones have replaced."""

    def leave(self, name: str, content: bytes) -> None:
        """The end of a log."""


class AttemptMirror:
    """Copies one attempt.

    Args:
        trial_id: whose.
        attempt: its number.
        files: where the trial's files are.
        benchmark: says which of them carries reports.
        outlet: where the copies go.
        interval: seconds between two pieces of its reports.
        sync_seconds: between two copies of the checkpoint.
    """

    def __init__(
        self,
        trial_id: int,
        attempt: int,
        *,
        files: ExperimentDirectory,
        benchmark: BenchmarkConfig,
        outlet: Outlet,
        interval: float,
        sync_seconds: float,
    ) -> None:
        self._trial_id = trial_id
        self._outlet, self._interval, self._sync_seconds = outlet, interval, sync_seconds
        self._folder = files.attempt(trial_id, attempt)
        self._checkpoint = files.checkpoint(trial_id)
        self._reports = self._folder / benchmark.reports_file
        self._stream = Stream(self._reports, prefixed=benchmark.prefixed)
        self._lock = threading.Lock()
        self._pending = b""
        self._seen = 0  # bytes of the stream, sent or pending
        self._whole = True  # the last of them ends a line
        self._next = 0.0
        self.sent = 0
        """Bytes of reports that are sent."""
        self.checkpoints: list[tuple[str, int]] = []
        """(name, bytes) of those that are kept, the latest last."""
        self._number = 0
        self._copied: Stamps = stamps(self._checkpoint)  # that it goes on from, if any

    def due(self) -> float | None:
        """Seconds until something may be sent; None where nothing is to be."""
        return max(self._next - time.monotonic(), 0.001) if self._pending else None

    def follow(self, *, final: bool = False) -> None:
        """Send what is new, if it is time to."""
        while True:
            self._take_in()
            if not self._pending or not (final or len(self._pending) >= LARGEST or time.monotonic() >= self._next):
                return
            with self._lock:
                piece, self._pending = self._pending, b""
            self._outlet.send(self.sent, piece)
            self.sent += len(piece)
            self._next = time.monotonic() + self._interval

    def _take_in(self) -> int:
        """Read what is there now. Returns how many bytes of reports lie behind a checkpoint that is made now, all told."""
        with self._lock:
            while more := self._stream.more():
                self._pending += more
                self._seen += len(more)
                self._whole = more.endswith(b"\n")
                if len(self._pending) >= LARGEST:
                    break
            return self._seen + (not self._whole)  # half a report is none yet

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Copy the checkpoint every so often, in a thread."""
        with meanwhile(self.copy_checkpoints):
            yield

    def copy_checkpoints(self, over: threading.Event) -> None:
        """Copy the checkpoint every so often, until it is said to be over."""
        while not over.wait(self._sync_seconds):
            self.copy_checkpoint(final=False)

    def finish(self) -> list[str]:
        """The attempt has ended: copy what is left, the checkpoint first. Returns the names of the logs."""
        self.copy_checkpoint(final=True)
        return self.finish_texts()

    def finish_texts(self) -> list[str]:
        """The attempt has ended: copy what is left of its reports, and the ends of its logs. Returns the names of those."""
        logs = []
        self.follow(final=True)
        for name in ("stdout.log", "stderr.log"):
            path = self._folder / name
            if path.is_file() and path.stat().st_size > 0:
                with path.open("rb") as file:
                    file.seek(max(path.stat().st_size - MOST_OF_A_LOG, 0))
                    self._outlet.leave(name, file.read())
                logs.append(name)
        return logs

    def copy_checkpoint(self, *, final: bool) -> bool:
        """Copy what is new. Returns False if that failed, which is logged: a trial may have to resume from an older copy."""
        archive = self._folder / "checkpoint.tar"
        try:
            packed = pack_whole(self._checkpoint, archive, known=self._copied, reports=[self._reports], final=final)
            if not packed:
                return True
            position = self._take_in()
            self._number += 1
            name = self._outlet.save(self._number, position, archive)
            self.checkpoints.append((name, archive.stat().st_size))
            self._copied = packed
            archive.unlink()
        except (OSError, tarfile.TarError) as error:
            text = "the checkpoint of trial %d could not be copied now (%s)"
            log.warning(text, self._trial_id, error, extra={"once": "copies"})
            return False
        while len(self.checkpoints) > KEPT:
            self._outlet.remove(self.checkpoints.pop(0)[0])
        return True
