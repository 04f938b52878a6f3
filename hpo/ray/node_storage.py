"""The local disk of a slot whose node does not share the tuner's directory, and the transfer of files to and from it.

<tmp>/hpo-code-<user>/<digest>/       the code, unpacked once for all slots of a node
<tmp>/hpo-slot-<user>-<process>/      the trials of one slot, as an experiment's directory

Reports go to the tuner as bytes, checkpoints to the storage.
"""

import contextlib
import io
import logging
import os
import shutil
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.backends.attempt_mirror import AttemptMirror
from hpo.backends.checkpoint_archive import digest_of, unpack
from hpo.config.schema import BenchmarkConfig
from hpo.errors import BackendError
from hpo.events.types import BackendEvent, Exit, Placed
from hpo.ray.actor import SlotOpening
from hpo.ray.messages import (
    CheckpointMissing,
    CheckpointSaved,
    CopiesEnded,
    LogEnd,
    ReportPiece,
    SlotMessage,
    StartAttempt,
)
from hpo.ray.storage import CheckpointStorage
from hpo.store.directory import ExperimentDirectory

log = logging.getLogger(__name__)

FORGOTTEN = 30 * 86400.0
"""Seconds after which unused code of an experiment is removed from a node."""

Tell = Callable[[Sequence[SlotMessage]], None]


def code_folder(digest: str) -> Path:
    """Return the folder on a node for the code with a digest; it need not exist."""
    return Path(tempfile.gettempdir()) / f"hpo-code-{os.getuid()}" / digest


def unpack_code(packed: bytes, digest: str) -> Path:
    """Unpack the code, unless another slot of the node has done so. Returns the folder.

    Code that no slot has started with for a month is removed.

    Raises:
        BackendError: The code cannot be written.
    """
    folder = code_folder(digest)
    if folder.is_dir():
        os.utime(folder)
        return folder
    with _written(folder):
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_forgotten(folder.parent)
        with tempfile.TemporaryDirectory(dir=folder.parent) as new:
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                archive.extractall(new, filter="data")
            with contextlib.suppress(OSError):  # another slot was faster
                os.rename(new, folder)  # noqa: PTH104
            Path(new).mkdir(exist_ok=True)  # for the removal at the end of the context
    return folder


def _remove_forgotten(codes: Path) -> None:
    for folder in codes.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another slot was faster
            if time.time() - folder.stat().st_mtime > FORGOTTEN:
                shutil.rmtree(folder, ignore_errors=True)


def scratch_folder() -> Path:
    """Create a folder for the trials of this process; removes folders that ended processes have left.

    Raises:
        BackendError: The folder cannot be created.
    """
    name = f"hpo-slot-{os.getuid()}-"
    base = Path(tempfile.gettempdir())
    folder = base / f"{name}{os.getpid()}"
    with _written(folder):
        for old in base.glob(f"{name}*"):
            if not Path(f"/proc/{old.name.rpartition('-')[2]}").exists() or old == folder:
                shutil.rmtree(old, ignore_errors=True)
        folder.mkdir(mode=0o700)
    return folder


@contextlib.contextmanager
def _written(folder: Path) -> Any:
    try:
        yield
    except (OSError, tarfile.TarError) as error:
        raise BackendError(
            f"{folder} cannot be written to ({error}); make room there, or start its Ray with TMPDIR set to another folder"
        ) from error


@dataclass(frozen=True)
class _Outlet:
    """The destination of an attempt's copies; see `Outlet`."""

    trial_id: int
    attempt: int
    begin: str
    """Common beginning of all keys."""
    storage: CheckpointStorage
    tell: Tell

    def send(self, start: int, piece: bytes) -> None:
        self.tell([ReportPiece(self.trial_id, self.attempt, start, piece)])

    def save(self, number: int, position: int, archive: Path) -> str:
        key, size = f"{self.begin}-{number:06d}.tar", archive.stat().st_size
        with _named(self.storage):
            self.storage.put(key, archive)
        self.tell([CheckpointSaved(self.trial_id, self.attempt, key, position, size, digest_of(archive))])
        return key

    def remove(self, name: str) -> None:
        """Ignore the request: only the tuner knows which checkpoints are no longer needed."""

    def leave(self, name: str, content: bytes) -> None:
        self.tell([LogEnd(self.trial_id, self.attempt, name, content)])


@contextlib.contextmanager
def _named(storage: CheckpointStorage) -> Iterator[None]:
    """Let errors within the context name the storage by its key."""
    try:
        yield
    except OSError as error:
        raise type(error)(f"backend.storage={storage.url}: {error}") from error


@dataclass
class _Copied:
    mirror: AttemptMirror
    over: threading.Event


class ApartTrials:
    """The trials of one slot whose node does not share the tuner's directory.

    Args:
        files: The slot's own directory.
        benchmark: Benchmark, which says which file carries reports.
        opening: The tuner's order to open the slot, which names a storage.
        name: Unique name of the slot.
        tell: Sends a message to the tuner; may be called in any thread.

    Raises:
        BackendError: The storage is not the tuner's, or cannot be written to.
    """

    def __init__(
        self, files: ExperimentDirectory, benchmark: BenchmarkConfig, opening: SlotOpening, *, name: str, tell: Tell
    ) -> None:
        self._files, self._benchmark, self._name, self._tell = files, benchmark, name, tell
        self._seconds, url, proof = opening.sync_seconds, str(opening.storage), opening.proof
        self._running: dict[int, _Copied] = {}
        self._threads: list[threading.Thread] = []
        try:
            self._storage = CheckpointStorage(url)
            self._storage.get(proof, files.path / "proof")
            self._storage.put(f"{proof}-{name}", b"")
            self._storage.remove([f"{proof}-{name}"])
        except OSError as error:
            raise BackendError(
                f"backend.storage={url}: it is not there what it is here, or cannot be written to from there "
                f"({error}); give nodes the same storage, and the right to write there"
            ) from error

    def begin(self, order: StartAttempt) -> bool:
        """Fetch the checkpoint that the attempt resumes from.

        Returns whether the attempt can begin; if not, the tuner has been told why.
        """
        assert order.restore is not None
        trial_id, key = order.trial_id, order.restore.key
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if not self._threads:
            for other in self._files.trials.glob("*"):
                shutil.rmtree(other, ignore_errors=True)
        folder = self._files.checkpoint(trial_id)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        if key is not None:
            archive = folder.with_name("restored.tar")
            try:
                with _named(self._storage):
                    self._storage.get(key, archive)
                if (digest := order.restore.digest) is not None and digest_of(archive) != digest:
                    raise tarfile.ReadError("it was damaged since it was stored")
                unpack(archive, folder)
                archive.unlink()
            except (OSError, tarfile.TarError) as error:
                why = f"trial {trial_id}: its checkpoint {key} cannot be had ({error})"
                log.warning("%s", why, extra={"once": "restores"})
                gone = isinstance(error, FileNotFoundError | tarfile.TarError)
                lost = Exit(trial_id, order.attempt, None, lost=True, error=why)
                self._tell([CheckpointMissing(trial_id, key), lost] if gone else [lost])
                return False
        outlet = _Outlet(
            trial_id=trial_id,
            attempt=order.attempt,
            begin=f"{order.restore.root}{trial_id}/{order.attempt:05d}-{self._name}",
            storage=self._storage,
            tell=self._tell,
        )
        mirror = AttemptMirror(
            trial_id,
            order.attempt,
            files=self._files,
            benchmark=self._benchmark,
            outlet=outlet,
            interval=0.0,
            sync_seconds=self._seconds,
        )
        copied = self._running[trial_id] = _Copied(mirror, threading.Event())
        thread = threading.Thread(target=self._copy, args=[copied, outlet], daemon=True, name="copies")
        thread.start()
        self._threads.append(thread)
        return True

    def _copy(self, copied: _Copied, outlet: _Outlet) -> None:
        """Copy checkpoints at intervals, in a thread, and the last one once the attempt has ended."""
        whole = False
        try:
            copied.mirror.copy_checkpoints(copied.over)
            whole = copied.mirror.copy_checkpoint(final=True)
        finally:  # the next attempt waits for it
            self._tell([CopiesEnded(outlet.trial_id, outlet.attempt, whole)])

    def take_in(self, event: BackendEvent) -> None:
        """Send the tuner the content of an event: bytes of reports, or an exit."""
        if isinstance(event, Placed):
            self._tell([event])
            return
        copied = self._running[event.trial_id]
        if not isinstance(event, Exit):
            copied.mirror.follow()
            return
        del self._running[event.trial_id]
        copied.mirror.finish_texts()
        self._tell([event])
        copied.over.set()

    def close(self) -> None:
        """Wait until everything is stored, and remove the files here; no trial may run any more."""
        for copied in self._running.values():
            copied.over.set()
        for thread in self._threads:
            thread.join()
        shutil.rmtree(self._files.path, ignore_errors=True)
