"""A slot inside a job, which runs attempts: the local backend for the trial, and a mirror of its files in the place.

An attempt has finished when all its files are in the place. A request to stop is passed to the trial, which has its grace.
"""

import logging
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hpo.backends.attempt_mirror import AttemptMirror
from hpo.backends.checkpoint_archive import unpack
from hpo.backends.jobs.object_names import ObjectNames, StoredCheckpoint, live_key
from hpo.backends.jobs.outcome import AttemptOutcome
from hpo.backends.jobs.protocols import ObjectPlace
from hpo.backends.local import LocalBackend
from hpo.backends.trial_program import Program
from hpo.config.schema import ExperimentConfig
from hpo.events.types import Exit, Trial
from hpo.store.directory import ExperimentDirectory

log = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two pieces of an attempt's reports."""
SIGNAL_DELAY = 1.0
"""Seconds by which a signal to all processes of a job may reach this one later than its trial."""


class JobSlot:
    """A runner of attempts, one after the other; a context manager that ends what it has started.

    Args:
        config: The experiment as the job sees it.
        place: Place that the tuner reads.
        names: Names of the experiment's objects there.
        work: Folder for the trials' files.
        node: Name of the machine that the tuner logs for the attempt.
    """

    def __init__(
        self, config: ExperimentConfig, place: ObjectPlace, names: ObjectNames, work: Path, node: str = ""
    ) -> None:
        self._config, self._place, self._names, self._node = config, place, names, node
        self._files = ExperimentDirectory(work / "experiment")
        self._files.path.mkdir(parents=True, exist_ok=True)
        self._stopped = False  # set by `stop`: the slot completes no further attempt
        self._asked = False  # set when the tuner asks for the end of the attempt
        self._backend: LocalBackend | None = None

    def __enter__(self) -> "JobSlot":
        return self

    def __exit__(self, *_: object) -> None:
        if self._backend is not None:
            self._backend.close()

    def stop(self, *_: object) -> None:
        """End the attempt after its trial's grace: the machine is reclaimed, or the tuner ends the trial."""
        self._stopped = True
        if self._backend is not None:
            self._backend.wake()

    def run(
        self, order: Mapping[str, Any], *, asked: Callable[[], bool] = lambda: False, look: float | None = None
    ) -> Exit:
        """Run an attempt to its end, and write all its files to the place.

        Args:
            order: The attempt's order.
            asked: Whether the tuner asks for the end of the attempt, in addition to `stop`.
            look: Seconds between two calls of `asked`; None never calls it.

        Raises:
            HPOError: The attempt cannot be run.
        """
        self._asked = False
        trial, attempt, name = Trial(order["trial"], order["configuration"]), order["attempt"], order["name"]
        if before := self._before(name):
            # The service restarts jobs whose machine it took away. What was running there is lost, with what it wrote last.
            end = Exit(trial.id, attempt, None, lost=True)
            if not any(last for _, _, last in before):
                sent = max((piece[1] for _, piece, _ in before if piece is not None), default=0)
                self._put(self._names.end(name), AttemptOutcome(end, self._stopped, sent).to_json())
            return end
        self._put(self._names.beginning(name), self._node.encode())
        self._restore(trial.id, order["checkpoint"])
        if self._backend is None:
            self._backend = LocalBackend.for_program(Program(self._config, self._files, self._config.randomness))
        outlet = AttemptOutlet(self._put, self._place, self._names, trial.id, attempt, name)
        mirror = AttemptMirror(
            trial.id,
            attempt,
            files=self._files,
            benchmark=self._config.benchmark,
            outlet=outlet,
            interval=INTERVAL,
            sync_seconds=order["sync_seconds"],
        )
        with mirror.running():
            end = self._attend(self._backend, mirror, trial, order, asked, look)
        logs = mirror.finish()
        if end.exit_code != 0:
            self._expect_signal()
        outcome = AttemptOutcome(end, self._stopped or self._asked, mirror.sent, logs, mirror.checkpoints)
        self._put(self._names.end(name), outcome.to_json())
        return end

    def _expect_signal(self) -> None:
        """Wait briefly for a signal: if the platform has ended the trial, the trial has not failed."""
        deadline = time.monotonic() + SIGNAL_DELAY
        while not (self._stopped or self._asked) and time.monotonic() < deadline:
            time.sleep(0.05)

    def _before(self, name: str) -> list[tuple[str, tuple[int, int] | None, bool]]:
        """Return the objects that the attempt has left earlier; none, unless it began on another machine."""
        found = self._place.list(f"{self._names.live}{name}/")
        keys = [live_key(item.key, self._names.live) for item in found]
        return [key for key in keys if key is not None]

    def _restore(self, trial_id: int, key: str | None) -> None:
        folder = self._files.checkpoint(trial_id)
        shutil.rmtree(folder, ignore_errors=True)
        if key is not None:
            folder.parent.mkdir(parents=True, exist_ok=True)
            archive = folder.with_name("restored.tar")
            self._place.download(key, archive)
            unpack(archive, folder)
            archive.unlink()

    def _attend(
        self,
        backend: LocalBackend,
        mirror: AttemptMirror,
        trial: Trial,
        order: Mapping[str, Any],
        asked: Callable[[], bool],
        look: float | None,
    ) -> Exit:
        backend.start(trial, order["attempt"], order["until"])
        told, next_look = False, 0.0
        while True:
            if look is not None and not self._asked and time.monotonic() >= next_look:
                next_look = time.monotonic() + look
                self._asked = asked()
            if (self._stopped or self._asked) and not told:
                told = True
                backend.stop(trial.id)
            timeouts = [mirror.due(), None if look is None else max(next_look - time.monotonic(), 0.001)]
            for event in backend.wait(min((one for one in timeouts if one is not None), default=None)):
                if isinstance(event, Exit):
                    return event
            mirror.follow()

    def _put(self, key: str, content: bytes | Path) -> None:
        """Write an object, retrying while the place cannot be reached; the service ends the job if that takes too long.

        Raises:
            HPOError: The job may not write there.
            OSError: A file cannot be read.
        """
        while True:
            try:
                return self._place.write(key, content)
            except OSError as error:
                if isinstance(content, Path) and not content.is_file():
                    raise
                log.warning("%s; trying again", error)
            time.sleep(2.0)


class AttemptOutlet:
    """The outlet of an attempt's mirror; each copy is an object that is written once.

    Args:
        put: Writes an object.
        place: Place that contains the objects.
        names: Names of the experiment's objects.
        trial_id: Number of the trial.
        attempt: Number of the attempt.
        name: Name of the attempt.
    """

    def __init__(
        self,
        put: Callable[[str, bytes | Path], None],
        place: ObjectPlace,
        names: ObjectNames,
        trial_id: int,
        attempt: int,
        name: str,
    ) -> None:
        self._put, self._place, self._names = put, place, names
        self._trial_id, self._attempt, self._name = trial_id, attempt, name

    def send(self, start: int, piece: bytes) -> None:
        """See `Outlet.send`."""
        self._put(self._names.piece(self._name, start, start + len(piece)), piece)

    def save(self, number: int, position: int, archive: Path) -> str:
        """Write a checkpoint. Returns its key."""
        key = self._names.checkpoints(self._trial_id) + StoredCheckpoint.name(self._attempt, number, position)
        self._put(key, archive)
        return key

    def remove(self, name: str) -> None:
        """Remove a checkpoint by its key."""
        self._place.remove([name])

    def leave(self, name: str, content: bytes) -> None:
        """See `Outlet.leave`."""
        self._put(self._names.log(self._name, name), content)
