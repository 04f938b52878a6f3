"""A running attempt on S3: its reports as pieces that are written once, its checkpoints as archives, the ends of its logs."""

import contextlib
import logging
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hpo.aws.archive import Stamps, pack_whole, stamps
from hpo.backends.channel import PREFIX
from hpo.backends.sagemaker.places import JobPlaces, StoredCheckpoint
from hpo.config.schema import BenchmarkConfig
from hpo.store.directory import ExperimentDirectory

log = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two pieces of an attempt's reports."""
LARGEST = 4 << 20
"""Bytes of a piece."""
MOST_OF_A_LOG = 1 << 20
KEPT = 2
"""Checkpoints of an attempt."""


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


class AttemptMirror:
    """Copies an attempt to S3.

    Args:
        order: what the job is to do.
        files: where the trial's files are.
        benchmark: says which of them carries reports.
        put: writes an object.
        remove: removes one.
        places: where things go.
    """

    def __init__(
        self,
        *,
        order: Mapping[str, Any],
        files: ExperimentDirectory,
        benchmark: BenchmarkConfig,
        put: Callable[[str, bytes | Path], None],
        remove: Callable[[str], None],
        places: JobPlaces,
    ) -> None:
        self._order, self._put, self._remove, self._places = order, put, remove, places
        self._folder = files.attempt(order["trial"], order["attempt"])
        self._checkpoint = files.checkpoint(order["trial"])
        self._reports = self._folder / benchmark.reports_file
        self._stream = Stream(self._reports, prefixed=benchmark.prefixed)
        self._lock = threading.Lock()
        self._pending = b""
        self._seen = 0  # bytes of the stream, sent or pending
        self._whole = True  # the last of them ends a line
        self._next = 0.0
        self.sent = 0
        """Bytes of reports that are on S3."""
        self.checkpoints: list[tuple[str, int]] = []
        """(key, bytes) of those that are kept, the latest last."""
        self._number = 0
        self._copied: Stamps = stamps(self._checkpoint)  # that it goes on from, if any

    def due(self) -> float | None:
        """Seconds until something may be written; None where nothing is to be."""
        return max(self._next - time.monotonic(), 0.001) if self._pending else None

    def follow(self, *, final: bool = False) -> None:
        """Write what is new, if it is time to."""
        while True:
            self._take_in()
            if not self._pending or not (final or len(self._pending) >= LARGEST or time.monotonic() >= self._next):
                return
            with self._lock:
                piece, self._pending = self._pending, b""
            self._put(self._places.piece(self._order["name"], self.sent, self.sent + len(piece)), piece)
            self.sent += len(piece)
            self._next = time.monotonic() + INTERVAL

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
        over = threading.Event()

        def work() -> None:
            while not over.wait(self._order["sync_seconds"]):
                self._copy_checkpoint(final=False)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def finish(self) -> list[str]:
        """The attempt has ended: copy what is left, the checkpoint first. Returns the names of the logs."""
        logs = []
        self._copy_checkpoint(final=True)
        self.follow(final=True)
        for name in ("stdout.log", "stderr.log"):
            path = self._folder / name
            if path.is_file() and path.stat().st_size > 0:
                with path.open("rb") as file:
                    file.seek(max(path.stat().st_size - MOST_OF_A_LOG, 0))
                    self._put(self._places.log(self._order["name"], name), file.read())
                logs.append(name)
        return logs

    def _copy_checkpoint(self, *, final: bool) -> None:
        """A failure is logged: the next round is soon, and at the end a trial goes on from an older one."""
        archive = self._folder / "checkpoint.tar"
        try:
            packed = pack_whole(self._checkpoint, archive, known=self._copied, reports=[self._reports], final=final)
            if not packed:
                return
            position = self._take_in()
            self._number += 1
            name = StoredCheckpoint.name(self._order["attempt"], self._number, position)
            key = self._places.checkpoints(self._order["trial"]) + name
            self._put(key, archive)
            self.checkpoints.append((key, archive.stat().st_size))
            self._copied = packed
            archive.unlink()
        except (OSError, tarfile.TarError) as error:
            log.warning("the checkpoint could not be copied now (%s)", error)
            return
        while len(self.checkpoints) > KEPT:
            self._remove(self.checkpoints.pop(0)[0])
