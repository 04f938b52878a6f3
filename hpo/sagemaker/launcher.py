"""The SageMaker launcher: each experiment is one training job, and its trials are processes on the job's machine.

The request is made here without AWS and sent by `submission`; the job runs `hpo.sagemaker.bootstrap` and then
`hpo.sagemaker.job`. boto3 is imported only when a request is sent.
"""

import logging
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.config.reading import resolve
from hpo.config.schema import ExperimentConfig
from hpo.errors import HPOError
from hpo.experiment.warm_start import with_copy
from hpo.launchers.remote import JobDescription, JobState, Phase, RemoteLauncher, hours_of
from hpo.sagemaker.client import aws_errors_as_sentence, client, code_of, message_of
from hpo.sagemaker.images import gpus_of
from hpo.sagemaker.request import SageMakerJob, make_job
from hpo.sagemaker.results import fetch, is_whole, progress
from hpo.sagemaker.settings import SageMakerSettings
from hpo.sagemaker.submission import submit
from hpo.sagemaker.training import SIGNAL_GRACE
from hpo.store.directory import ExperimentDirectory

log = logging.getLogger(__name__)

_UNDRAWN = "????"
_WAITING = {
    "Starting",
    "LaunchingMLInstances",
    "PreparingTrainingStack",
    "Downloading",
    "DownloadingTrainingImage",
    "Pending",
}


class SageMakerLauncher(RemoteLauncher):
    """A launcher that runs experiments as SageMaker training jobs.

    Args:
        dry_run: Make and store the request, but send nothing; needs no credentials.
        wait: Return only when the job has ended.
        **keys: Keys of conf/launcher/sagemaker.yaml.

    Raises:
        ConfigError: A key is missing or wrong.
    """

    def __init__(self, *, dry_run: bool = False, wait: bool = False, **keys: Any) -> None:
        super().__init__(dry_run=dry_run, wait=wait)
        self.settings = SageMakerSettings.checked(keys, placeholders=dry_run)
        self._job: tuple[ExperimentConfig, SageMakerJob] | None = None

    def launch(self, experiment: ExperimentConfig, output_dir: Path) -> int:
        """Send the experiment, with the earlier results that it starts from; see `Launcher.launch`."""
        if experiment.warm_start:  # the sources are here and not where the job runs
            output_dir.mkdir(parents=True, exist_ok=True)
            experiment = with_copy(ExperimentDirectory(output_dir), resolve(experiment))
        return super().launch(experiment, output_dir)

    def request(self, experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
        """Return the arguments of `create_training_job` for a resolved experiment."""
        if experiment.grace_period_seconds > SIGNAL_GRACE:
            log.warning(
                "grace_period_seconds=%g: a job that is stopped is killed after 120 s, trials get %g",
                experiment.grace_period_seconds,
                SIGNAL_GRACE,
            )
        return dict(self._job_of(experiment).request)

    def describe(self, experiment: ExperimentConfig, output_dir: Path) -> JobDescription:
        """Describe the job and its instance; see `RemoteLauncher.describe`."""
        request = self.request(experiment, output_dir)
        name = request["TrainingJobName"]
        uncopied = bool(experiment.warm_start) and experiment.warm_start_sha256 is None
        if experiment.random_seed is None or uncopied:  # they go into the hash at the end of the name
            name = name[: -len(_UNDRAWN)] + _UNDRAWN
        instance = request["ResourceConfig"]["InstanceType"]
        count = request["ResourceConfig"]["InstanceCount"]
        gpus = gpus_of(instance)
        limit = request["StoppingCondition"]["MaxRuntimeInSeconds"] / 3600
        return JobDescription(
            name=name,
            machine=instance if count == 1 else f"{count} x {instance}",
            gpus=gpus and gpus * count,
            machines=count,
            hours=hours_of(experiment, limit),
            limit_hours=limit,
            instance_type=instance,
        )

    def _job_of(self, experiment: ExperimentConfig) -> SageMakerJob:
        """Return the experiment's job, made once because its request and its uploads belong together."""
        if self._job is None or self._job[0] is not experiment:
            self._job = experiment, make_job(experiment, self.settings)
        return self._job[1]

    def submit(self, experiment: ExperimentConfig, output_dir: Path, request: Mapping[str, Any]) -> dict[str, Any]:
        """Upload new files and create the job, unless it exists."""
        return submit(experiment, self._job_of(experiment), self.settings, output_dir)

    def state(self, record: Mapping[str, Any]) -> JobState:
        """Return the job's state from the service, with the experiment's last known progress."""
        state = self._phase(record)
        if state.phase in (Phase.WAITING, Phase.UNKNOWN):
            return state
        return JobState(state.phase, "; ".join(filter(None, [state.detail, progress(record)])))

    def _phase(self, record: Mapping[str, Any]) -> JobState:
        sagemaker = client("sagemaker", record["region"], record["profile"])
        with aws_errors_as_sentence(record["job"]):
            try:
                found = sagemaker.describe_training_job(TrainingJobName=record["job"])
            except Exception as error:
                if code_of(error) in ("ValidationException", "ResourceNotFound"):
                    return JobState(Phase.UNKNOWN, f"the service does not know it ({message_of(error)})")
                raise
        return phase_of(found)

    def fetch(self, record: Mapping[str, Any], output_dir: Path) -> int:
        """Fetch new results; see `launcher.sync_checkpoints`."""
        checkpoints = self.settings.sync_checkpoints
        brought = fetch(record, output_dir, checkpoints=checkpoints)
        if is_whole(output_dir, checkpoints=checkpoints) or not self._has_completed(record):
            return brought
        brought += fetch(record, output_dir, checkpoints=checkpoints)  # it may have ended meanwhile
        if not is_whole(output_dir, checkpoints=checkpoints):
            # The service uploads what the job leaves; the job cannot see whether S3 rejected it.
            log.warning(
                "job %s has completed, but s3://%s/%s lacks some of its results: the service could not upload them; see "
                "that launcher.role may write there, then run the same command with overwrite=true",
                record["job"],
                record["bucket"],
                record["results"],
            )
        return brought

    def _has_completed(self, record: Mapping[str, Any]) -> bool:
        """Whether the job has completed; False if the service may not be asked."""
        try:
            return self._phase(record).phase == Phase.COMPLETE
        except HPOError as error:  # users who fetch results may lack the right to describe jobs
            log.info("%s", error)
            return False

    def cancel(self, record: Mapping[str, Any]) -> None:
        """Stop the job; the service sends SIGTERM and 120 s later SIGKILL."""
        sagemaker = client("sagemaker", record["region"], record["profile"])
        with aws_errors_as_sentence(record["job"]):
            try:
                sagemaker.stop_training_job(TrainingJobName=record["job"])
            except Exception as error:
                if code_of(error) not in ("ValidationException", "ResourceNotFound"):
                    raise
                log.info("job %s has ended already", record["job"])

    def join(self, record: Mapping[str, Any]) -> JobState:
        """Ask for the job's state at intervals until it has ended."""
        while True:
            state = self._phase(record)
            if state.phase not in (Phase.WAITING, Phase.RUNNING, Phase.INTERRUPTED):
                return state
            time.sleep(self.settings.poll_seconds * random.uniform(0.8, 1.2))


def phase_of(found: Mapping[str, Any]) -> JobState:
    """Return the job's state from the service's description."""
    status, secondary = found["TrainingJobStatus"], found.get("SecondaryStatus", "")
    reason = " ".join(str(found.get("FailureReason", "")).split())
    if status == "Completed":
        return JobState(Phase.COMPLETE)
    if status == "Failed":
        return JobState(Phase.FAILED, reason)
    if status in ("Stopped", "Deleting"):
        limit = {"MaxRuntimeExceeded": "max_runtime", "MaxWaitTimeExceeded": "max_wait"}.get(secondary)
        hint = f"launcher.{limit} was reached; the launching command resumes it"
        return JobState(Phase.STOPPED, hint if limit else "")
    if status == "Stopping":
        return JobState(Phase.RUNNING, "is being stopped")
    if secondary in ("Interrupted", "Restarting"):
        return JobState(Phase.INTERRUPTED, "the service restarts it")
    return JobState(Phase.WAITING if secondary in _WAITING else Phase.RUNNING, secondary.lower())
