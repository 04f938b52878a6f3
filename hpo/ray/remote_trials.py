"""The tuner's side of trials whose nodes do not share its directory.

Their reports and logs are written here, as after a local run. A list records which of their checkpoints the storage has:

trials/<id>/attempt_<k>/checkpoints.jsonl   {"key": ..., "position": ..., "size": ..., "digest": ...}, one per copy

A checkpoint is used only if the `position` bytes of reports that precede it are here.
"""

import contextlib
import json
import logging
import tarfile
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hpo.backends.checkpoint_archive import digest_of, pack_whole
from hpo.backends.jobs.object_names import ObjectNames, life
from hpo.backends.report_channel import Channel, resource_at
from hpo.backends.shared_directory import STORED
from hpo.config.schema import ExperimentConfig
from hpo.errors import BackendError
from hpo.events.state import ExperimentState
from hpo.events.types import BackendEvent, Exit, Status
from hpo.ray.messages import (
    CheckpointMissing,
    CheckpointSaved,
    CopiesEnded,
    LogEnd,
    ReportPiece,
    Restore,
    StorageMessage,
)
from hpo.ray.storage import CheckpointStorage
from hpo.store.directory import ExperimentDirectory

log = logging.getLogger(__name__)

KEPT = 2
"""Number of checkpoints that are kept per trial."""


@dataclass(frozen=True)
class KeptCheckpoint:
    """A checkpoint in the storage."""

    attempt: int
    key: str
    position: int
    size: int
    digest: str | None = None
    """Digest of the archive; None if an earlier version of hpo has stored it."""


class StoredTrials:
    """The reports and checkpoints of one session's trials on nodes that do not share the tuner's directory.

    Args:
        config: Configuration of the experiment.
        files: The experiment's directory.
        storage: Storage of the checkpoints.
    """

    def __init__(self, config: ExperimentConfig, files: ExperimentDirectory, storage: CheckpointStorage) -> None:
        self._config, self._files, self._storage = config, files, storage
        self._state = ExperimentState(config.objective)
        self._stored: dict[int, list[KeptCheckpoint]] = {}
        self._forgotten: dict[int, int] = {}  # trial id -> its last attempt whose checkpoints are not needed
        self._begun: dict[int, int] = {}  # trial id -> its last attempt
        self._given: dict[int, KeptCheckpoint | None] = {}  # trial id -> checkpoint that its last attempt resumes from
        self._lost: set[int] = set()  # trials whose last checkpoint did not reach the storage, or was lost there
        self._channels: dict[int, Channel] = {}
        self._copying: dict[int, int] = {}  # trial id -> slot that still copies its last checkpoint
        self._answers = True  # whether the storage answered its last request
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="storage")

    def go_on(self, state: ExperimentState) -> None:
        """List the checkpoints; remove those in the storage that are not recorded, and store those that exist only here.

        Raises:
            BackendError: The storage cannot be listed.
        """
        self._state = state
        if not state.trials:
            return
        try:
            there = self._storage.sizes(self._root)
            for trial_id, trial in state.trials.items():
                self._begun[trial_id] = trial.attempt
                records = [self._record(trial_id, attempt) for attempt in range(trial.attempt + 1)]
                self._stored[trial_id] = [
                    KeptCheckpoint(attempt, **json.loads(line))
                    for attempt, record in enumerate(records)
                    for line in (record.read_text().splitlines() if record.is_file() else ())
                ]
                self._stored[trial_id] = [one for one in self._stored[trial_id] if one.key in there]
                if trial.status in (Status.PAUSED, Status.INTERRUPTED) and self.newest(trial_id) is None:
                    self._bring(trial_id, trial.attempt)
        except OSError as error:
            raise BackendError(f"backend.storage={self._storage.url}: it cannot be read ({error})") from error
        known = {one.key for stored in self._stored.values() for one in stored}
        self._remove([key for key in there if key not in known])
        waiting = [trial for trial in state.trials.values() if trial.status in (Status.PAUSED, Status.INTERRUPTED)]
        if over := [trial.trial.id for trial in waiting if trial.resource and self.newest(trial.trial.id) is None]:
            self._lost.update(over)
            log.warning("no checkpoint of trial(s) %s is in the storage: they start over", ", ".join(map(str, over)))

    def _bring(self, trial_id: int, attempt: int) -> None:
        """Store a checkpoint that another backend has left in the experiment's directory, if there is one."""
        with TemporaryDirectory() as folder:
            archive = Path(folder) / "checkpoint.tar"
            with contextlib.suppress(tarfile.TarError):
                if pack_whole(self._files.checkpoint(trial_id), archive, known={}, reports=[], final=True):
                    key = f"{self._root}{trial_id}/{attempt:05d}-here.tar"
                    self._storage.put(key, archive)
                    found = KeptCheckpoint(attempt, key, 0, archive.stat().st_size, digest_of(archive))
                    self._note(trial_id, found)

    @property
    def _root(self) -> str:
        """The beginning of all keys; an experiment that replaces another has a different one."""
        whose = life(self._config, self._state.created or 0.0)
        return ObjectNames.of(self._config, "", whose).checkpoints().lstrip("/")

    def _record(self, trial_id: int, attempt: int) -> Path:
        return self._files.attempt(trial_id, attempt) / STORED

    def _reports(self, trial_id: int, attempt: int) -> Path:
        return self._files.attempt(trial_id, attempt) / "reports.jsonl"

    # ------------------------------------------------------------------ attempts

    def copying(self, trial_id: int) -> bool:
        """Whether the checkpoint that the trial resumes from is still being copied to the storage."""
        return trial_id in self._copying

    def begin(self, trial_id: int, attempt: int) -> Restore:
        """Begin an attempt and return where its slot finds its checkpoint."""
        reports = self._reports(trial_id, attempt)
        reports.parent.mkdir(parents=True, exist_ok=True)
        reports.touch()
        self._channels[trial_id] = Channel(reports, trial_id, attempt)
        found = self.newest(trial_id)
        self._begun[trial_id], self._given[trial_id] = attempt, found
        return Restore(self._root) if found is None else Restore(self._root, found.key, found.digest)

    def restored(self, trial_id: int) -> int | None:
        """Return the resource, or less, of the checkpoint that the running attempt was given; None if it was given none."""
        if (given := self._given.get(trial_id)) is None:
            return None
        reports = self._reports(trial_id, given.attempt)
        return resource_at(reports, given.position, self._config.objective.resource_attr)

    def newest(self, trial_id: int) -> KeptCheckpoint | None:
        """Return the checkpoint to resume from; None if there is none."""
        after = self._forgotten.get(trial_id, -1)
        for one in reversed(self._stored.get(trial_id, ())):
            reports = self._reports(trial_id, one.attempt)
            if one.attempt > after and one.position <= (reports.stat().st_size if reports.exists() else 0):
                return one
        return None

    def take_in(self, message: StorageMessage) -> Sequence[BackendEvent]:
        """Take in a slot's message about an attempt and return the events that it means."""
        trial_id = message.trial_id
        match message:
            case ReportPiece(_, attempt, start, content):
                if (channel := self._channels.get(trial_id)) is None or attempt != self._begun[trial_id]:
                    return ()
                with self._reports(trial_id, attempt).open("ab") as file:
                    file.write(content[file.tell() - start :])
                return channel.read()
            case LogEnd(_, attempt, name, content):
                self._files.attempt(trial_id, attempt).joinpath(Path(name).name).write_bytes(content)
            case CheckpointSaved(_, attempt, key, position, size, digest):
                self._note(trial_id, KeptCheckpoint(attempt, key, position, size, digest))
            case CheckpointMissing(_, key):
                self._lost.add(trial_id)
                self._stored[trial_id] = [one for one in self._stored[trial_id] if one.key != key]
            case CopiesEnded(_, attempt, whole):
                if attempt == self._begun[trial_id]:
                    self._copying.pop(trial_id, None)
                    (self._lost.discard if whole else self._lost.add)(trial_id)
        return ()

    def lost(self, trial_id: int) -> bool:
        """Whether the running attempt may lack what the one before had saved."""
        return trial_id in self._lost

    def _note(self, trial_id: int, new: KeptCheckpoint) -> None:
        if new.attempt <= self._forgotten.get(trial_id, -1):
            self._remove([new.key])
            return
        line = {name: value for name, value in asdict(new).items() if name != "attempt"}
        with self._record(trial_id, new.attempt).open("a") as file:
            file.write(json.dumps(line) + "\n")
        stored = sorted([*self._stored.get(trial_id, ()), new], key=lambda one: (one.attempt, one.key))
        self._stored[trial_id] = stored[-KEPT:]
        self._remove([one.key for one in stored[:-KEPT]])

    def over(self, slot: int, end: Exit) -> list[BackendEvent]:
        """Return the events of an attempt's end, while its slot may still copy the checkpoint."""
        channel = self._channels.pop(end.trial_id, None)
        if channel is None:
            return [end]
        if not end.lost:
            self._copying[end.trial_id] = slot
        stderr = self._files.attempt(end.trial_id, end.attempt) / "stderr.log"
        return [*channel.finish(), end._replace(log=None if end.log is None else stderr)]

    def lose(self, slot: int, trial_id: int | None) -> list[BackendEvent]:
        """Return the remaining events of a slot that was lost; copies that it had not finished are given up."""
        for other in [one for one, where in self._copying.items() if where == slot]:
            del self._copying[other]
            self._lost.add(other)
        if trial_id is not None:
            self._lost.add(trial_id)
        channel = None if trial_id is None else self._channels.pop(trial_id, None)
        return [] if channel is None else channel.finish()

    # ------------------------------------------------------------------ checkpoints

    def size(self, trial_id: int) -> int:
        """Return the size in bytes of the checkpoint that a trial resumes from."""
        found = self.newest(trial_id)
        return 0 if found is None else found.size

    def forget(self, trial_id: int) -> None:
        """Remove a trial's checkpoints, which no decision can need any more."""
        self._forgotten[trial_id] = self._begun.get(trial_id, 0)
        self._remove([one.key for one in self._stored.pop(trial_id, ())])

    def _remove(self, keys: Collection[str]) -> None:
        """Remove objects in a thread; the next session removes those that cannot be removed now."""
        if keys:
            self._worker.submit(self._try_to, lambda: self._storage.remove(keys))

    def _try_to(self, remove: Callable[[], None]) -> None:
        try:
            remove()
            self._answers = True
        except OSError as error:
            self._answers = False
            log.info("checkpoints that nobody needs could not be removed now (%s)", error)

    def close(self) -> None:
        """Read the remaining reports and finish the removals, once no slot is left."""
        for channel in self._channels.values():
            channel.finish()
        self._worker.shutdown(
            cancel_futures=not self._answers
        )  # each removal would wait for the storage with full patience
