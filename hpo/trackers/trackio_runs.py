"""Trackio tracking: a local project per experiment and a run per trial."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.events.types import Configuration
from hpo.trackers.base import AttemptEnd, TrialTracker


class Trackio(TrialTracker):
    """A tracker that logs each trial as a Trackio run on this machine.

    Args:
        config: Configuration of the experiment.
        directory: Directory of the experiment.
        project: Name of the Trackio project; made from the experiment's tag, benchmark, method and seed if not given.
        store: Trackio's folder, as in its variable TRACKIO_DIR; Trackio's default if not given.
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
            os.environ["TRACKIO_DIR"] = str(Path(store).absolute())  # Trackio reads it on import
        super().__init__(config, directory)
        found = Path(str(self.module.utils.TRACKIO_DIR))
        if store is not None and found != Path(store).absolute():
            raise ConfigError(f"store={store}: trackio was loaded before with {found}; use one store per process")
        digest = hashlib.blake2b(self.group.encode(), digest_size=3).hexdigest()
        self.project = project or re.sub(r"[^a-zA-Z0-9-]+", "-", self.group) + f"-{digest}"

    def begin(self, trial_id: int, configuration: Configuration, time: float, again: bool) -> None:
        """Open the trial's Trackio run, or resume it."""
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
        """Log the metrics of a report as one step."""
        self.runs[trial_id].log(dict(metrics), step=resource)

    def end(self, trial_id: int, ending: AttemptEnd) -> None:
        """Finish the trial's Trackio run."""
        self.runs.pop(trial_id).finish()
