"""The job of an attempt: its name, its place on S3, what is sent and what it is ordered to do."""

from collections.abc import Mapping
from functools import cached_property

from hpo.aws.client import encryption
from hpo.aws.settings import SageMakerSettings
from hpo.backends.sagemaker.places import JobPlaces, attempt_name, description, job_of_attempt, life
from hpo.backends.sagemaker.request import TrialJobs
from hpo.backends.sagemaker.service import TrialJob
from hpo.config.schema import ExperimentConfig
from hpo.events.types import Trial


class Orders:
    """Of one experiment.

    Args:
        config: the experiment.
        settings: of the jobs.
        jobs: makes requests.
        created: unix time of the experiment's first event.
    """

    def __init__(
        self, config: ExperimentConfig, settings: SageMakerSettings, jobs: TrialJobs, created: float | None
    ) -> None:
        self._config, self._settings, self._jobs = config, settings, jobs
        self._life = life(config, created or 0.0)

    @cached_property
    def places(self) -> JobPlaces:
        """Where its things are."""
        return JobPlaces.of(self._config, self._settings.prefix, self._life)

    def job(self, trial: Trial, attempt: int, until: int | None, taken: Mapping[int, int], after: int) -> TrialJob:
        """The job of an attempt, which is not asked for by this.

        Args:
            trial: whose.
            attempt: its number.
            until: where it ends.
            taken: bytes of reports that were taken in, by earlier attempt.
            after: checkpoints of this attempt and those before are not used.
        """
        name = attempt_name(self._life, trial, attempt, until)
        order = {
            "attempt": attempt,
            "until": until,
            "name": name,
            "bucket": self._settings.bucket,
            "root": self.places.root,
            "region": self._settings.region,
            "encryption": encryption(self._settings),
            "sync_seconds": self._settings.sync_seconds,
        }
        return TrialJob(
            name=name,
            trial_id=trial.id,
            request=lambda again: self._jobs.request(
                job_of_attempt(self._config, self._life, trial.id, attempt, again),
                f"{self._life}-{name}",
                self.places.order(name),
                trial.id,
            ),
            order=lambda checkpoint: description(trial, checkpoint=checkpoint, **order),
            taken=taken,
            after=after,
        )
