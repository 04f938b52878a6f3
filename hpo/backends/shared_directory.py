"""Backends whose trials leave their files in the experiment's directory, for tuner and trials see the same disk."""

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
"""In an attempt's folder: which checkpoints of it are in a storage, and not here."""


class FiledBackend(Backend):
    """Knows what attempts have left there.

    Args:
        directory: of the experiment.
        benchmark: says which file carries reports.
    """

    def __init__(self, directory: ExperimentDirectory, benchmark: BenchmarkConfig) -> None:
        self.directory = directory
        self.prefixed = benchmark.prefixed
        self.reports_file = benchmark.reports_file

    def go_on(self, state: ExperimentState) -> None:
        """Put folders aside that the log does not know, and say which checkpoints another backend has put elsewhere."""
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
        """Reports that a tuner never took in."""
        path = self.directory.attempt(trial_id, attempt) / self.reports_file
        if not path.exists():
            return ()
        return Channel(path, trial_id, attempt, position, prefixed=self.prefixed).finish()

    def checkpoint_bytes(self, trial_id: int) -> int:
        """Of the trial's checkpoint folder."""
        return folder_bytes(self.directory.checkpoint(trial_id))

    def keep_checkpoint(self, trial_id: int, resource: int) -> None:
        """Beside the trial's checkpoint folder."""
        kept = self.directory.kept(trial_id, resource)
        if not kept.exists():
            copy_folder(self.directory.checkpoint(trial_id), kept)

    def copy_checkpoint(self, source: int, resource: int | None, trial_id: int) -> None:
        """Into the trial's checkpoint folder, which is not there yet."""
        files = self.directory
        saved = files.checkpoint(source) if resource is None else files.kept(source, resource)
        copy_folder(saved, files.checkpoint(trial_id))

    def kept_checkpoints(self) -> Mapping[tuple[int, int], int]:
        """What lies beside the checkpoint folders."""
        return {place: folder_bytes(self.directory.kept(*place)) for place in self.directory.all_kept()}

    def forget_kept(self, trial_id: int, resource: int) -> None:
        """Delete the copy."""
        shutil.rmtree(self.directory.kept(trial_id, resource), ignore_errors=True)

    def forget_checkpoint(self, trial_id: int) -> None:
        """Delete the trial's checkpoint folder."""
        shutil.rmtree(self.directory.checkpoint(trial_id), ignore_errors=True)
