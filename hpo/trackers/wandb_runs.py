"""Weights & Biases tracking: a run per trial in a group per experiment; offline by default."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from hpo.config.schema import ExperimentConfig
from hpo.events.types import Configuration, Status
from hpo.trackers.base import AttemptEnd, TrialTracker


class WandB(TrialTracker):
    """A tracker that logs each trial as a Weights & Biases run.

    Args:
        config: Configuration of the experiment.
        directory: Directory of the experiment; offline runs are written to its folder `wandb`, for `wandb sync`.
        project: Name of the W&B project.
        mode: `offline` or `online`.
    """

    package = "wandb"

    def __init__(
        self, config: ExperimentConfig, directory: Path | str, project: str = "hpo", mode: str = "offline"
    ) -> None:
        super().__init__(config, directory)
        self._project, self._mode = project, mode

    def begin(self, trial_id: int, configuration: Configuration, time: float, again: bool) -> None:
        """Open the trial's W&B run; its id is the same each time, so that a resumed trial resumes its run."""
        self.directory.mkdir(parents=True, exist_ok=True)
        run = self.module.init(
            project=self._project,
            dir=str(self.directory),
            id=hashlib.blake2b(
                f"{self.group}/{trial_id}/{self.config.random_seed}".encode(), digest_size=8
            ).hexdigest(),
            name=f"trial {trial_id}",
            group=self.group,
            job_type="trial",
            config={**configuration, "trial_id": trial_id, "method": self.config.method.name, "seed": self.config.seed},
            mode=self._mode,
            resume="allow" if again and self._mode == "online" else None,
            reinit="create_new",
            settings=self.module.Settings(console="off", silent=True, x_disable_stats=True, x_disable_meta=True),
        )
        resource = self.config.benchmark.named_resource or "report"
        run.define_metric(resource)
        run.define_metric("*", step_metric=resource)
        self.runs[trial_id] = run

    def log(self, trial_id: int, metrics: Mapping[str, float], resource: int, time: float) -> None:
        """Log the metrics of a report as one row of the run's history, with the resource as the step."""
        name = self.config.benchmark.named_resource or "report"
        self.runs[trial_id].log({**metrics, name: resource, "_timestamp": time})

    def end(self, trial_id: int, ending: AttemptEnd) -> None:
        """Finish the trial's W&B run, with its status and best values in the summary."""
        run = self.runs.pop(trial_id)
        run.summary["hpo_status"] = ending.status.value
        run.summary.update({f"best_{metric}": value for metric, value in ending.best.items()})
        run.finish(exit_code=1 if ending.status in (Status.FAILED, Status.TIMEOUT) else 0)
