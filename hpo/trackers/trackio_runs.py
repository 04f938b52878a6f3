"""Trackio: a run per trial in a local project per experiment."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.events.values import Configuration
from hpo.trackers.trial_runs import Ending, TrialTracker


class Trackio(TrialTracker):
    """Makes Trackio runs, on this machine.

    Args:
        config: of the experiment.
        directory: of the experiment.
        project: of the runs; made from the experiment's tag, benchmark, method and seed when not given.
        store: Trackio's folder, as its variable TRACKIO_DIR names it; its own default when not given.
    """

    package = "trackio"

    def __init__(
        self,
        config: ExperimentConfig,
        directory: Path | str,
        project: str | None = None,
        store: Path | str | None = None,
    ) -> None:
        if store is not None:
            os.environ["TRACKIO_DIR"] = str(Path(store).absolute())  # read when the package is imported
        super().__init__(config, directory)
        found = Path(str(self.module.utils.TRACKIO_DIR))
        if store is not None and found != Path(store).absolute():
            raise ConfigError(f"store={store}: trackio was loaded before with {found}; use one store per process")
        digest = hashlib.blake2b(self.group.encode(), digest_size=3).hexdigest()
        self.project = project or re.sub(r"[^a-zA-Z0-9-]+", "-", self.group) + f"-{digest}"

    def begin(self, trial_id: int, configuration: Configuration, time: float, again: bool) -> None:
        """Open the trial's run, or go on with it."""
        self.runs[trial_id] = self.module.init(
            project=self.project,
            name=f"trial {trial_id}",
            group=self.group[-100:],
            config={**configuration, "trial_id": trial_id},
            resume="allow" if again else "never",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def log(self, trial_id: int, metrics: Mapping[str, float], resource: int, time: float) -> None:
        """One step per report."""
        self.runs[trial_id].log(dict(metrics), step=resource)

    def end(self, trial_id: int, ending: Ending) -> None:
        """Finish the run."""
        self.runs.pop(trial_id).finish()
