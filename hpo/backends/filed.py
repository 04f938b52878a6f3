"""Backends whose trials leave their files in the experiment's directory, for tuner and trials see the same disk."""

import shutil
from collections.abc import Sequence

from hpo.backends.base import Backend
from hpo.backends.channel import Channel
from hpo.config.schema import BenchmarkConfig
from hpo.events.state import ExperimentState
from hpo.events.values import BackendEvent
from hpo.store.directory import ExperimentDirectory
from hpo.store.disk import folder_bytes
from hpo.store.salvage import put_aside_unknown


class FiledBackend(Backend):
    """Knows what attempts have left there.

    Args:
        directory: of the experiment.
        benchmark: says which file carries reports.
    """

    def __init__(self, directory: ExperimentDirectory, benchmark: BenchmarkConfig) -> None:
        self.directory = directory
        self.prefixed = benchmark.prefixed
        self._reports_file = benchmark.reports_file

    def go_on(self, state: ExperimentState) -> None:
        """Put folders aside that the log does not know."""
        put_aside_unknown(self.directory, state)

    def left_over(self, trial_id: int, attempt: int, position: int) -> Sequence[BackendEvent]:
        """Reports that a tuner never took in."""
        path = self.directory.attempt(trial_id, attempt) / self._reports_file
        if not path.exists():
            return ()
        return Channel(path, trial_id, attempt, position, prefixed=self.prefixed).finish()

    def checkpoint_bytes(self, trial_id: int) -> int:
        """Of the trial's checkpoint folder."""
        return folder_bytes(self.directory.checkpoint(trial_id))

    def forget_checkpoint(self, trial_id: int) -> None:
        """Delete the trial's checkpoint folder."""
        shutil.rmtree(self.directory.checkpoint(trial_id), ignore_errors=True)
