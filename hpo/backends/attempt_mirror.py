"""A mirror of a running attempt on another machine or storage: reports as they grow, checkpoint archives, ends of logs."""

import contextlib
import logging
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from hpo.backends.checkpoint_archive import Stamps, pack_whole, stamps
from hpo.backends.report_channel import PREFIX
from hpo.config.schema import BenchmarkConfig
from hpo.store.directory import ExperimentDirectory

log = logging.getLogger(__name__)

LARGEST = 4 << 20
"""Largest number of bytes that is sent as one piece."""
MOST_OF_A_LOG = 1 << 20
KEPT = 2
"""Number of checkpoint copies that are kept per attempt."""


@contextlib.contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run a function in a thread while the context lasts; the event that it is given is set when the context ends."""
    over = threading.Event()
    thread = threading.Thread(target=work, args=[over], daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Stream:
    """A reader of an attempt's reports as they grow; of prefixed standard output it returns only the reports, unprefixed."""

    def __init__(self, path: Path, *, prefixed: bool) -> None:
        self._path = path
        self._prefixed = prefixed
        self._read = 0
        self._rest = b""

    def more(self) -> bytes:
        """Return the bytes of reports that are new."""
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
            self._rest = b""  # output without an end of line is not a report
        found = (line.partition(PREFIX) for line in lines)
        return b"".join(line + b"\n" for _, prefix, line in found if prefix)


class Outlet(Protocol):
    """The destination of an attempt's copies."""

    def send(self, start: int, piece: bytes) -> None:
        """Send a piece of the attempt's reports, which begins at byte `start`."""

    def save(self, number: int, position: int, archive: Path) -> str:
        """Store checkpoint `number`, made when there were `position` bytes of reports. Returns a name for it.

        Raises:
            OSError: The checkpoint cannot be stored now.
        """

    def remove(self, name: str) -> None:
        """Remove a checkpoint that later ones have replaced."""

    def leave(self, name: str, content: bytes) -> None:
        """Store the end of a log."""


class AttemptMirror:
    """A copier of one attempt's files to an outlet.

    Args:
        trial_id: Number of the trial.
        attempt: Number of the attempt.
        files: Directory with the trial's files.
        benchmark: Benchmark, which says which file carries reports.
        outlet: Destination of the copies.
        interval: Seconds between two pieces of reports.
        sync_seconds: Seconds between two copies of the checkpoint.
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
        self._whole = True  # whether the last of them ends a line
        self._next = 0.0
        self.sent = 0
        """Number of bytes of reports that were sent."""
        self.checkpoints: list[tuple[str, int]] = []
        """Names and sizes in bytes of the checkpoints that are kept, the latest last."""
        self._number = 0
        self._copied: Stamps = stamps(self._checkpoint)  # of the checkpoint that it resumes from, if any

    def due(self) -> float | None:
        """Return the seconds until something may be sent; None if nothing will be."""
        return max(self._next - time.monotonic(), 0.001) if self._pending else None

    def follow(self, *, final: bool = False) -> None:
        """Send new reports if the interval has passed."""
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
        """Read the reports that are there now.

        Returns the total bytes of reports that a checkpoint made now would follow.
        """
        with self._lock:
            while more := self._stream.more():
                self._pending += more
                self._seen += len(more)
                self._whole = more.endswith(b"\n")
                if len(self._pending) >= LARGEST:
                    break
            return self._seen + (not self._whole)  # an incomplete report does not count yet

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Copy the checkpoint at intervals, in a thread, while the context lasts."""
        with meanwhile(self.copy_checkpoints):
            yield

    def copy_checkpoints(self, over: threading.Event) -> None:
        """Copy the checkpoint at intervals until the event `over` is set."""
        while not over.wait(self._sync_seconds):
            self.copy_checkpoint(final=False)

    def finish(self) -> list[str]:
        """Copy the rest of an attempt that has ended, its checkpoint first. Returns the names of the logs."""
        self.copy_checkpoint(final=True)
        return self.finish_texts()

    def finish_texts(self) -> list[str]:
        """Copy the remaining reports and the ends of the logs of an attempt that has ended. Returns the names of the logs."""
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
        """Copy the checkpoint if it is new. Returns False if that failed.

        A failure is logged, because the trial may have to resume from an older copy.
        """
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
