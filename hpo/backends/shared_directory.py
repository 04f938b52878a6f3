"""The base of backends whose tuner and trials share a disk: trials write into the experiment's directory."""

import logging
import shutil
from collections.abc import Mapping, Sequence

from hpo.backends.base import Backend
from hpo.backends.report_channel import Channel
from hpo.config.schema import BenchmarkConfig
from hpo.events.state import ExperimentState
from hpo.events.types import BackendEvent, Status
from hpo.store.directory import ExperimentDirectory
from hpo.store.disk_space import folder_bytes
from hpo.store.folder_copies import copy_folder
from hpo.store.store_repair import put_aside_unknown

log = logging.getLogger(__name__)

STORED = "checkpoints.jsonl"
"""File in an attempt's folder that lists those of its checkpoints that are in a storage and not here."""


class FiledBackend(Backend):
    """A backend that finds what attempts have left in the experiment's directory.

    Args:
        directory: The experiment's directory.
        benchmark: Benchmark, which says which file carries reports.
    """

    def __init__(self, directory: ExperimentDirectory, benchmark: BenchmarkConfig) -> None:
        self.directory = directory
        self.prefixed = benchmark.prefixed
        self.reports_file = benchmark.reports_file

    def go_on(self, state: ExperimentState) -> None:
        """Set aside folders that the log does not know, and log which checkpoints another backend has stored elsewhere."""
        put_aside_unknown(self.directory, state)
        waiting = [trial for trial in state.trials.values() if trial.status in (Status.PAUSED, Status.INTERRUPTED)]
        elsewhere = [
            str(trial.trial.id)
            for trial in waiting
            if (self.directory.attempt(trial.trial.id, trial.attempt) / STORED).is_file()
            and not self.has_checkpoint(trial.trial.id)
        ]
        if elsewhere:
            names = ", ".join(elsewhere)
            log.warning(
                "the checkpoints of trial(s) %s are in backend.storage, which is not given: they start over", names
            )

    def left_over(self, trial_id: int, attempt: int, position: int) -> Sequence[BackendEvent]:
        """Return an attempt's reports that no tuner has taken in."""
        path = self.directory.attempt(trial_id, attempt) / self.reports_file
        if not path.exists():
            return ()
        return Channel(path, trial_id, attempt, position, prefixed=self.prefixed).finish()

    def checkpoint_bytes(self, trial_id: int) -> int:
        """Return the size of the trial's checkpoint folder in bytes."""
        return folder_bytes(self.directory.checkpoint(trial_id))

    def keep_checkpoint(self, trial_id: int, resource: int) -> None:
        """Copy the trial's checkpoint folder to a folder beside it; see `Backend.keep_checkpoint`."""
        kept = self.directory.kept(trial_id, resource)
        if not kept.exists():
            copy_folder(self.directory.checkpoint(trial_id), kept)

    def copy_checkpoint(self, source: int, resource: int | None, trial_id: int) -> None:
        """Copy a checkpoint into the trial's checkpoint folder, which must not exist yet; see `Backend.copy_checkpoint`."""
        files = self.directory
        saved = files.checkpoint(source) if resource is None else files.kept(source, resource)
        copy_folder(saved, files.checkpoint(trial_id))

    def kept_checkpoints(self) -> Mapping[tuple[int, int], int]:
        """Return the copies beside the checkpoint folders; see `Backend.kept_checkpoints`."""
        return {place: folder_bytes(self.directory.kept(*place)) for place in self.directory.all_kept()}

    def forget_kept(self, trial_id: int, resource: int) -> None:
        """Delete a kept copy of a checkpoint."""
        shutil.rmtree(self.directory.kept(trial_id, resource), ignore_errors=True)

    def forget_checkpoint(self, trial_id: int) -> None:
        """Delete the trial's checkpoint folder."""
        shutil.rmtree(self.directory.checkpoint(trial_id), ignore_errors=True)
