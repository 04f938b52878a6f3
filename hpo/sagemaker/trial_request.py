"""The request to SageMaker for an attempt of a trial, and the job's inputs: code, experiment, order."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpo.backends.bundle import make_bundle
from hpo.config.reading import to_yaml
from hpo.config.schema import BACKENDS, ExperimentConfig
from hpo.errors import ConfigError
from hpo.sagemaker import bootstrap
from hpo.sagemaker.client import upload
from hpo.sagemaker.images import checked_instance_type, image_uri
from hpo.sagemaker.settings import SageMakerSettings, refuse_secrets
from hpo.sagemaker.training import DATA_CHANNEL, SIGNAL_GRACE, longest_run, tags_of, training_request

MODULE = "hpo.sagemaker.trial_job"


class TrialJobs:
    """A maker of the requests for one experiment's jobs. Creating it does not call AWS.

    Args:
        config: The experiment.
        settings: Keys of `conf/backend/sagemaker.yaml`, checked.

    Raises:
        ConfigError: A part of the experiment cannot be sent.
    """

    def __init__(self, config: ExperimentConfig, settings: SageMakerSettings) -> None:
        self._config, self._settings = config, settings
        benchmark = config.benchmark
        constants = {k: v for k, v in benchmark.config_space.items() if not isinstance(v, Mapping)}
        refuse_secrets("benchmark.arguments", {**constants, **benchmark.arguments})
        if benchmark.data is not None and not benchmark.data.startswith("s3://"):
            raise ConfigError(
                f"benchmark.data={benchmark.data}: a job sees nothing of this machine's disk; copy it to S3 (`aws s3 sync`) "
                f"and give its address, such as s3://{settings.bucket}/data/"
            )
        self.instance_type = checked_instance_type(
            settings.instance_type or benchmark.instance_type, config.num_gpus_per_trial or 0, settings.group
        )
        assert settings.region is not None
        self._image = settings.image_uri or image_uri(
            benchmark.framework, settings.framework_version, settings.region, self.instance_type, settings.group
        )
        self._bundle = make_bundle(
            benchmark,
            settings.source_dependencies,
            settings.exclude,
            most_mb=settings.max_bundle_mb,
            group=settings.group,
            extras=["aws"],
        )
        in_job = self._bundle.benchmark
        self._text = to_yaml(
            replace(
                config,
                benchmark=in_job if in_job.data is None else replace(in_job, data=DATA_CHANNEL),
                backend={"name": "local", "_target_": BACKENDS["local"]},
                launcher={},
                callbacks={},
                n_workers=1,
                grace_period_seconds=min(config.grace_period_seconds, SIGNAL_GRACE),
            )
        ).encode()
        self._code = f"{settings.prefix}/_code/{self._bundle.digest}"
        self._experiment = f"{settings.prefix}/_experiments/{hashlib.blake2b(self._text, digest_size=16).hexdigest()}"

    def upload(self) -> None:
        """Upload to S3 what all jobs need, unless it is there.

        Raises:
            HPOError: The upload is not possible.
        """
        upload(self._settings, f"{self._code}/bundle.tar.gz", self._bundle.packed())
        upload(self._settings, f"{self._code}/bootstrap.py", Path(bootstrap.__file__).read_bytes())
        upload(self._settings, f"{self._experiment}/experiment.yaml", self._text)

    def request(self, name: str, identity: str, order: str, trial_id: int) -> dict[str, Any]:
        """Return the arguments of `create_training_job`.

        Args:
            name: Name of the job.
            identity: Text that distinguishes it from another job of the same name.
            order: Folder with the attempt's order.
            trial_id: Number of the trial.
        """
        root, data = f"s3://{self._settings.bucket}", self._config.benchmark.data
        return training_request(
            name=name,
            identity=identity,
            settings=self._settings,
            instance_type=self.instance_type,
            image=self._image,
            module=MODULE,
            channels={
                "code": f"{root}/{self._code}/",
                "experiment": f"{root}/{self._experiment}/",
                "order": f"{root}/{order}",
                **({} if data is None else {"data": data}),
            },
            runtime=longest_run(self._config, self._settings),
            tags={**tags_of(self._config), "hpo:trial": str(trial_id)},
            retries=0,  # a lost attempt is followed by another, which resumes from its checkpoint
        )
