"""The mirror of an experiment's state, which the service copies to S3, and its restoration after an interruption.

The experiment itself lies beside it: the raw files of its running SQLite database are never copied. At intervals the
mirror copies each changed checkpoint into one archive, then the database by SQLite's backup, then the rest.

The service uploads files one by one whenever it likes, so that after a hard kill S3 holds files of different moments.
Therefore an archive is complete in itself: a trial's checkpoint, all files of one moment, and with it the database just
after. The latest of all databases is restored; it has all reports that precede any checkpoint of its trials.
"""

import contextlib
import json
import logging
import os
import shutil
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpo.backends.attempt_mirror import meanwhile
from hpo.backends.checkpoint_archive import CHECKPOINT, Stamps, pack_whole, seal, stamps, unpack, unseal
from hpo.backends.shared_directory import STORED
from hpo.config.reading import read_config
from hpo.config.schema import ExperimentConfig
from hpo.errors import HPOError
from hpo.events.state import ExperimentState
from hpo.events.text import best_text, clock, counts_text
from hpo.events.trial_state import TrialState
from hpo.events.types import Kind, Status
from hpo.sagemaker.results import PROGRESS
from hpo.store.atomic_files import replacing, write_atomically
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import Store
from hpo.store.sqlite_file import copy_store

log = logging.getLogger(__name__)

CLUSTER_LOG = "cluster.log"
"""Log of the nodes of a Ray cluster that consists of the job's instances."""

_TOP = (
    "experiment.yaml",
    "metadata.json",
    "results.csv.zip",
    "best.yaml",
    "front.yaml",
    "schedule.yaml",
    "warm_start.jsonl",
    "hpo.log",
    "host.log",
    CLUSTER_LOG,
)


@dataclass(frozen=True)
class Restored:
    """The state that was found when the job started."""

    trials: int
    reports: int
    age: float
    """Seconds since the last event in the restored state."""
    from_checkpoint: list[int]
    """Unfinished trials that resume from their checkpoints."""
    from_scratch: list[int]
    """Unfinished trials without a checkpoint, which start over."""


@dataclass
class Mirror:
    """A copier between the experiment's directory and the folder that the service keeps."""

    work: Path
    kept: Path
    seconds: float = 30.0
    _state: ExperimentState | None = None
    _read: int = 0
    _started: dict[int, float] = field(default_factory=dict)
    """Start time of each trial, which distinguishes it from a trial of the same number in a past that was lost."""
    _copied: dict[str, Stamps] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._staging = self.work.parent / "staging"  # not in the folder that is uploaded

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Copy at intervals, in a thread, while the context lasts, and once more at the end."""

        def work(over: threading.Event) -> None:
            while not over.wait(self.seconds):
                self.copy()

        try:
            with meanwhile(work):
                yield
        finally:
            self.copy(final=True)

    # ------------------------------------------------------------------ there

    def copy(self, *, final: bool = False) -> None:
        """Copy changed files; `final` when no trial runs any more. A failure is logged; the next round tries again."""
        files = ExperimentDirectory(self.work)
        if not files.events.is_file():
            return
        try:
            with self._lock:
                self._copy(files, final)
        except (OSError, tarfile.TarError, HPOError) as error:
            log.warning("the state could not be copied to %s now (%s)", self.kept, error)

    def _copy(self, files: ExperimentDirectory, final: bool) -> None:
        self._staging.mkdir(exist_ok=True)
        staged = [self._stage_checkpoint(folder, final) for folder in sorted(files.trials.glob("*/checkpoint"))]
        database = self._staging / "events.db"
        database.unlink(missing_ok=True)
        copy_store(files.events, database)
        state = self._take_in(database)
        for name, archive, packed in filter(None, staged):
            trial_id = int(archive.stem)
            meta = {"started": self._started[trial_id], "resource": state.trials[trial_id].resource}
            seal(archive, meta, database)
            self._publish(name, archive)
            self._copied[name] = packed
        self._publish("events.db", database)
        self._copy_rest(files)
        shown = {
            "elapsed": clock(state.elapsed),
            "counts": counts_text(state),
            "best": best_text(state),
            **({"files": self._sizes()} if final else {}),  # shows those who fetch them whether all were uploaded
        }
        write_atomically(self.kept / PROGRESS, json.dumps(shown).encode())

    def _sizes(self) -> dict[str, int]:
        """Return the sizes in bytes of everything that will be uploaded, by its name there."""
        found = (path for path in self.kept.rglob("*") if path.is_file() and not path.name.startswith("."))
        return {str(path.relative_to(self.kept)): path.stat().st_size for path in found if path.name != PROGRESS}

    def _stage_checkpoint(self, folder: Path, final: bool) -> tuple[str, Path, Stamps] | None:
        """Return an archive of one trial's files, all of one moment; None if nothing is new or the script is just writing."""
        name = f"trials/{folder.parent.name}/{CHECKPOINT}"
        archive = self._staging / f"{folder.parent.name}.tar"
        packed = pack_whole(
            folder,
            archive,
            known=self._copied.get(name, {}),
            reports=list(folder.parent.glob(f"attempt_*/{self._config().benchmark.reports_file}")),
            final=final,
        )
        if packed is None:
            return None
        if not packed:
            (self.kept / name).unlink(missing_ok=True)
            self._copied[name] = packed
            return None
        return name, archive, packed

    def _config(self) -> ExperimentConfig:
        return read_config(self.work / "experiment.yaml")

    def _publish(self, name: str, temporary: Path) -> None:
        target = self.kept / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.replace(target)
        except OSError:  # another file system
            with replacing(target) as beside:
                shutil.copyfile(temporary, beside)

    def _take_in(self, database: Path) -> ExperimentState:
        """Return the experiment's state from a database, combined with all earlier ones."""
        if self._state is None:
            self._state = ExperimentState(self._config().objective)
        with contextlib.closing(Store(database, read_only=True)) as store:
            for number, event in store.read_numbered(self._read):
                self._read = number
                self._state.apply(event)
                if event.kind == Kind.STARTED and event.trial is not None:
                    self._started[event.trial] = event.time
        return self._state

    def _copy_rest(self, files: ExperimentDirectory) -> None:
        names = [name for name in _TOP if (self.work / name).is_file()]
        names += [str(path.relative_to(self.work)) for path in files.trials.glob("*/attempt_*/*") if path.is_file()]
        for name in names:
            status = (self.work / name).stat()
            now = {name: (status.st_size, status.st_mtime_ns)}
            if self._copied.get(name) != now:
                self._publish(name, Path(shutil.copyfile(self.work / name, self._staging / "file")))
                self._copied[name] = now

    # ------------------------------------------------------------------ and back

    def restore(self) -> Restored | None:
        """Restore an interrupted experiment. Returns None if there is none."""
        if not (self.kept / "experiment.yaml").is_file():
            return None
        self.work.mkdir(parents=True, exist_ok=True)
        self._staging.mkdir(exist_ok=True)
        archives = {int(path.parent.name): path for path in self.kept.glob(f"trials/*/{CHECKPOINT}")}
        metas = {trial_id: self._meta(path, trial_id) for trial_id, path in archives.items()}
        found = [self.kept / "events.db", *(self._staging / f"{trial_id}.db" for trial_id in archives)]
        latest = max(found, key=_last_time)
        if _last_time(latest) == 0.0:
            return None
        age = max(time.time() - _last_time(latest), 0.0)
        for name in _TOP:
            if (self.kept / name).is_file():
                shutil.copyfile(self.kept / name, self.work / name)
        shutil.copyfile(latest, self.work / "events.db")
        known = self._take_in(self.work / "events.db")
        whole: list[int] = []
        broken: list[int] = []
        for trial_id, state in known.trials.items():
            self._restore_attempts(state)
            usable = self._restore_checkpoint(state, metas.get(trial_id, {}), archives) or self._is_stored(trial_id)
            if state.status in (Status.RUNNING, Status.INTERRUPTED, Status.PAUSED):
                (whole if usable else broken).append(trial_id)
        return Restored(
            trials=len(known.trials),
            reports=known.reports,
            age=age,
            from_checkpoint=whole,
            from_scratch=broken,
        )

    def _meta(self, archive: Path, trial_id: int) -> dict[str, Any]:
        """Return an archive's metadata, and extract its database to the staging folder; empty for a damaged archive."""
        try:
            return unseal(archive, self._staging / f"{trial_id}.db")
        except (OSError, EOFError, KeyError, ValueError, tarfile.TarError) as error:
            log.warning("%s cannot be used (%s)", archive, error)
            return {}

    def _restore_attempts(self, state: TrialState) -> None:
        """Restore the output of attempts that the database knows; others belong to a future that was lost."""
        for attempt in range(state.attempt + 1):
            source = ExperimentDirectory(self.kept).attempt(state.trial.id, attempt)
            if source.is_dir():
                target = ExperimentDirectory(self.work).attempt(state.trial.id, attempt)
                shutil.copytree(source, target, dirs_exist_ok=True)
                # Of the current attempt only what the database has taken in: the rest may be of that lost future too.
                reports = target / self._config().benchmark.reports_file
                if attempt == state.attempt and reports.is_file() and reports.stat().st_size > state.position:
                    os.truncate(reports, state.position)

    def _restore_checkpoint(self, state: TrialState, meta: dict[str, Any], archives: dict[int, Path]) -> bool:
        trial_id = state.trial.id
        if meta.get("started") != self._started[trial_id] or state.resource < meta.get("resource", 0):
            return False
        folder = ExperimentDirectory(self.work).checkpoint(trial_id)
        unpack(archives[trial_id], folder)
        self._copied[f"trials/{trial_id}/{CHECKPOINT}"] = stamps(folder)
        return True

    def _is_stored(self, trial_id: int) -> bool:
        """Whether the experiment's backend has kept a checkpoint of the trial elsewhere."""
        folder = ExperimentDirectory(self.work).trials / str(trial_id)
        return any(folder.glob(f"attempt_*/{STORED}"))


def _last_time(database: Path) -> float:
    """Return the time of a database's last event; 0 if it has none."""
    if not database.is_file():
        return 0.0
    try:
        with contextlib.closing(Store(database, read_only=True)) as store:
            last = store.last()
    except HPOError as error:
        log.warning("%s", error)
        return 0.0
    return last.time if last is not None else 0.0
