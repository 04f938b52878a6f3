"""MLflow tracking: an MLflow experiment per experiment and a run per trial, in a local store or at `tracking_uri`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.events.types import Configuration, Status
from hpo.trackers.base import AttemptEnd, TrialTracker

_TRIAL = "hpo.trial"
_ENDINGS = {Status.FAILED: "FAILED", Status.TIMEOUT: "FAILED", Status.INTERRUPTED: "KILLED", Status.STOPPED: "KILLED"}


class MLflow(TrialTracker):
    """A tracker that logs each trial as an MLflow run.

    Args:
        config: Configuration of the experiment.
        directory: Directory of the experiment.
        tracking_uri: Address of the MLflow store; a SQLite file in the experiment's directory if not given.
    """

    package = "mlflow"

    def __init__(self, config: ExperimentConfig, directory: Path | str, tracking_uri: str | None = None) -> None:
        super().__init__(config, directory)
        uri = tracking_uri or f"sqlite:///{(self.directory / 'mlflow.db').absolute()}"
        self._client = self.module.MlflowClient(tracking_uri=uri)
        known = self._client.get_experiment_by_name(self.group)
        artifacts = None if tracking_uri else (self.directory / "mlflow-artifacts").absolute().as_uri()
        self._experiment = known.experiment_id if known else self._client.create_experiment(self.group, artifacts)

    def begin(self, trial_id: int, configuration: Configuration, time: float, again: bool) -> None:
        """Create the trial's MLflow run, or find the run it already has."""
        if again:
            found = self._client.search_runs([self._experiment], f"tags.`{_TRIAL}` = '{trial_id}'", max_results=1)
            if found:
                self.runs[trial_id] = found[0].info.run_id
                self._client.update_run(self.runs[trial_id], status="RUNNING")
                return
        run = self._client.create_run(
            self._experiment,
            start_time=_milliseconds(time),
            tags={_TRIAL: str(trial_id), "hpo.method": self.config.method.name},
            run_name=f"trial {trial_id}",
        )
        self.runs[trial_id] = run.info.run_id
        parameters = [self.module.entities.Param(_safe(name), str(value)) for name, value in configuration.items()]
        self._client.log_batch(run.info.run_id, params=parameters)

    def log(self, trial_id: int, metrics: Mapping[str, float], resource: int, time: float) -> None:
        """Log the metrics of a report as one batch. NaN is stored as MLflow stores it."""
        metric, stamp = self.module.entities.Metric, _milliseconds(time)
        self._client.log_batch(
            self.runs[trial_id],
            metrics=[metric(_safe(name), value, stamp, resource) for name, value in metrics.items()],
        )

    def end(self, trial_id: int, ending: AttemptEnd) -> None:
        """Close the trial's run; a paused trial is marked as finished until it is resumed."""
        run: Any = self.runs.pop(trial_id)
        self._client.set_tag(run, "hpo.status", ending.status.value)
        for metric, value in ending.best.items():
            name = f"hpo.best.{_safe(metric)}" if self.state.objective.aims else "hpo.best"
            self._client.set_tag(run, name, repr(value))
        self._client.set_terminated(run, _ENDINGS.get(ending.status, "FINISHED"), _milliseconds(ending.time))


def _safe(name: str) -> str:
    """Return a name without characters that MLflow rejects."""
    return re.sub(r"[^\w\-./ :]", "_", name)


def _milliseconds(time: float) -> int | None:
    return int(time * 1000) if time else None
