"""The SageMaker backend: each attempt of a trial is a training job, whose reports arrive through S3."""

from collections.abc import Mapping
from typing import Any, Self

from hpo.backends.base import BackendCapabilities
from hpo.backends.jobs.backend import JobBackend, Platform
from hpo.backends.jobs.object_names import ObjectNames
from hpo.backends.jobs.protocols import Intervals
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.sagemaker.backend_keys import KEYS, SILENCE, given_keys, settings_of, silence_of
from hpo.sagemaker.client import client, encryption, preflight
from hpo.sagemaker.s3_place import S3Place
from hpo.sagemaker.settings import SageMakerSettings
from hpo.sagemaker.training_jobs import TrainingJobs
from hpo.sagemaker.trial_request import TrialJobs
from hpo.store.directory import ExperimentDirectory


class SageMakerBackend(JobBackend):
    """A backend that runs attempts as training jobs.

    Args:
        config: The experiment.
        files: The experiment's directory.
        settings: Keys of `conf/backend/sagemaker.yaml`, checked.
        jobs: Maker of the jobs' requests; its uploads must be on S3.
    """

    # The start-up of a warm machine; a cold one takes 7 to 8 minutes, as Syne Tune's users have measured.
    capabilities = BackendCapabilities(trials_beside_it=False, start_up_seconds=180.0, extras=("aws",))
    options = (*KEYS, SILENCE)

    @classmethod
    def check(cls, config: ExperimentConfig) -> None:
        """Raise ConfigError if the settings cannot make valid jobs; does not call AWS."""
        if config.gpus_to_use is not None:
            raise ConfigError(
                f"gpus_to_use={config.gpus_to_use}: with backend=sagemaker a trial has all GPUs of its own machine; drop the "
                f"key, and choose the machine by backend.instance_type"
            )
        if not config.benchmark.has_program:
            raise ConfigError("backend=sagemaker: the benchmark has a table and no program; use backend=simulated")
        silence_of(config)
        TrialJobs(config, settings_of(config))

    @classmethod
    def elsewhere(cls, config: ExperimentConfig) -> str | None:
        """Return a description of the machine that each attempt has."""
        return (
            f"{cls.instance_type(config)}, one for each attempt; whether the account may have as many is not asked now"
        )

    @classmethod
    def instance_type(cls, config: ExperimentConfig) -> str | None:
        """Return the machine's type, from the keys or from the benchmark."""
        return given_keys(config).get("instance_type") or config.benchmark.instance_type

    @classmethod
    def keys_of(cls, config: ExperimentConfig) -> Mapping[str, Any]:
        """Return the keys under `backend`, with the launcher's values for those that are missing."""
        return {**config.backend, **given_keys(config)}

    @classmethod
    def open(cls, config: ExperimentConfig, files: ExperimentDirectory, **_: Any) -> Self:
        """See `Backend.open`; uploads to S3 what all jobs need.

        Raises:
            HPOError: The bucket or the role does not exist, or may not be used.
        """
        settings = settings_of(config)
        jobs = TrialJobs(config, settings)
        preflight(settings)
        jobs.upload()
        return cls(config, files, settings, jobs)

    def __init__(
        self, config: ExperimentConfig, files: ExperimentDirectory, settings: SageMakerSettings, jobs: TrialJobs
    ) -> None:
        intervals = Intervals(
            look=settings.poll_seconds,
            silence=silence_of(config),
            refusal=settings.quota_wait,
            checkpoint=settings.sync_seconds,
        )
        super().__init__(config, files, intervals)
        self._settings, self._requests = settings, jobs

    @property
    def opened(self) -> Mapping[str, Any]:
        """The tuner's machine and process, and the instance type of trials."""
        return {**super().opened, "instance_type": self._requests.instance_type}

    def connect(self, whose: str) -> Platform:
        """Return the job service and the bucket of this backend; see `JobBackend.connect`."""
        settings = self._settings
        names = ObjectNames.of(self._config, settings.prefix, whose)
        place = S3Place(self._client("s3"), str(settings.bucket), encryption(settings))
        return Platform(
            service=TrainingJobs(self._client("sagemaker"), self._requests),
            place=place,
            names=names,
            order={
                "bucket": settings.bucket,
                "root": names.root,
                "region": settings.region,
                "encryption": encryption(settings),
                "sync_seconds": settings.sync_seconds,
            },
        )

    def _client(self, service: str) -> Any:
        return client(service, self._settings.region, self._settings.profile, group="backend")
