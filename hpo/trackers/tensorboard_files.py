"""TensorBoard tracking: the metric curves of every trial, and a session of the HParams plugin for each."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.events.types import Configuration, Status
from hpo.trackers.base import AttemptEnd, TrialTracker

_RUNNING = (Status.RUNNING, Status.INTERRUPTED)
"""Statuses whose session is not marked as ended. A paused trial has reached its resource limit, so its session has ended."""


class TensorBoard(TrialTracker):
    """A tracker that writes TensorBoard event files: a folder per trial with its curves, hyperparameters and final status.

    Args:
        config: Configuration of the experiment.
        directory: Directory of the experiment.
        logdir: Folder for the trials' folders; `tensorboard` in the experiment's directory if not given.
    """

    package = "tensorboard"

    def __init__(self, config: ExperimentConfig, directory: Path | str, logdir: Path | str | None = None) -> None:
        super().__init__(config, directory)
        self.logdir = Path(logdir) if logdir is not None else self.directory / "tensorboard"
        load = importlib.import_module
        self._events = load("tensorboard.compat.proto.event_pb2")
        self._summaries = load("tensorboard.compat.proto.summary_pb2")
        self._make_tensor = load("tensorboard.util.tensor_util").make_tensor_proto
        self._types = load("tensorboard.compat.proto.types_pb2")
        self._writer_of = load("tensorboard.summary.writer.record_writer").RecordWriter
        self._metadata = load("tensorboard.plugins.hparams.metadata")
        self._sessions = load("tensorboard.plugins.hparams.plugin_data_pb2")
        self._api = load("tensorboard.plugins.hparams.api_pb2")
        self._described = False

    def begin(self, trial_id: int, configuration: Configuration, time: float, again: bool) -> None:
        """Open an event file for the trial; its first file also contains its hyperparameters."""
        if not self._described:
            self._describe(time)
        self.runs[trial_id] = self._new_file(self.logdir / f"trial_{trial_id}", time)
        if again:
            return
        start = self._sessions.SessionStartInfo(group_name=f"trial_{trial_id}", start_time_secs=time)
        for name, value in configuration.items():
            field = start.hparams[name]
            if isinstance(value, bool):
                field.bool_value = value
            elif isinstance(value, int | float):
                field.number_value = value
            else:
                field.string_value = str(value)
        self._add_about(self.runs[trial_id], self._metadata.SESSION_START_INFO_TAG, time, session_start_info=start)

    def log(self, trial_id: int, metrics: Mapping[str, float], resource: int, time: float) -> None:
        """Add a point to the curve of each metric, in double precision."""
        about = self._summaries.SummaryMetadata(
            plugin_data=self._summaries.SummaryMetadata.PluginData(plugin_name="scalars"),
            data_class=self._summaries.DATA_CLASS_SCALAR,
        )
        values = [
            self._summaries.Summary.Value(
                tag=name, metadata=about, tensor=self._make_tensor(value, dtype=self._types.DT_DOUBLE)
            )
            for name, value in metrics.items()
        ]
        self._add(self.runs[trial_id], values, resource, time)

    def end(self, trial_id: int, ending: AttemptEnd) -> None:
        """Write the trial's status and close its event file."""
        failed = ending.status in (Status.FAILED, Status.TIMEOUT)
        status = "STATUS_RUNNING" if ending.status in _RUNNING else "STATUS_FAILURE" if failed else "STATUS_SUCCESS"
        info = self._sessions.SessionEndInfo(status=self._api.Status.Value(status), end_time_secs=ending.time)
        file = self.runs.pop(trial_id)
        self._add_about(file, self._metadata.SESSION_END_INFO_TAG, ending.time, session_end_info=info)
        file.close()

    def _describe(self, time: float) -> None:
        """Write the hyperparameters with their types and the metric of each objective, for the HParams plugin."""
        self._described = True
        infos = [
            self._api.HParamInfo(name=name, type=self._type_of(domain.default))
            for name, domain in self.config.space.domains.items()
        ]
        metrics = [
            self._api.MetricInfo(name=self._api.MetricName(tag=aim.metric)) for aim in self.config.objective.each
        ]
        about = self._api.Experiment(name=self.group, hparam_infos=infos, metric_infos=metrics, time_created_secs=time)
        file = self._new_file(self.logdir, time)
        self._add_about(file, self._metadata.EXPERIMENT_TAG, time, experiment=about)
        file.close()

    def _new_file(self, folder: Path, time: float) -> Any:
        """Create the next event file of a folder.

        TensorBoard reads the files of a folder in the order of their names, and drops steps that a later file goes back
        behind. The names that its own writer gives within one second are not in order: 10 comes before 9.
        """
        folder.mkdir(parents=True, exist_ok=True)
        number = sum("tfevents" in path.name for path in folder.iterdir())
        file = self._writer_of((folder / f"events.out.tfevents.{number:010d}").open("xb"))
        file.write(self._events.Event(wall_time=time, file_version="brain.Event:2").SerializeToString())
        return file

    def _type_of(self, value: Any) -> Any:
        if isinstance(value, bool):
            return self._api.DATA_TYPE_BOOL
        return self._api.DATA_TYPE_FLOAT64 if isinstance(value, int | float) else self._api.DATA_TYPE_STRING

    def _add_about(self, file: Any, tag: str, time: float, **what: Any) -> None:
        """Write data for the HParams plugin."""
        about = self._metadata.create_summary_metadata(self._sessions.HParamsPluginData(**what))
        value = self._summaries.Summary.Value(tag=tag, metadata=about, tensor=self._metadata.NULL_TENSOR)
        self._add(file, [value], 0, time)

    def _add(self, file: Any, values: list[Any], step: int, time: float) -> None:
        event = self._events.Event(wall_time=time, step=step, summary=self._summaries.Summary(value=values))
        file.write(event.SerializeToString())
        file.flush()  # so that TensorBoard can read it while the trial runs
