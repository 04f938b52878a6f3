"""The request to SageMaker for one experiment: the arguments of `create_training_job`, and the two inputs of the job.

Pure: no request is sent and no file is written. The job's code and its experiment.yaml are stored on S3 under names made
from their content, so that twenty jobs share one upload and a second call makes the same request.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hpo.backends.backend_choice import backend_of
from hpo.backends.bundle import Bundle, make_bundle
from hpo.config.reading import to_yaml
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.ray.job_cluster import check_nodes
from hpo.sagemaker.images import checked_instance_type, image_uri
from hpo.sagemaker.names import identity, job_name, results_prefix
from hpo.sagemaker.settings import SageMakerSettings, refuse_secrets
from hpo.sagemaker.training import DATA_CHANNEL, SIGNAL_GRACE, longest_run, tags_of, training_request
from hpo.sagemaker.tuning_metrics import definitions, nonce_of


@dataclass(frozen=True)
class SageMakerJob:
    """The SageMaker job of one experiment."""

    request: Mapping[str, Any]
    bundle: Bundle
    config: ExperimentConfig
    """Experiment that the job runs, with the script's path in the bundle."""
    code_key: str
    config_key: str
    results: str
    """S3 key below which results are stored."""


def make_job(experiment: ExperimentConfig, settings: SageMakerSettings) -> SageMakerJob:
    """Make the job of a resolved experiment.

    Raises:
        ConfigError: A part of the experiment cannot be sent.
    """
    if experiment.copies_checkpoints:
        raise ConfigError(
            f"launcher=sagemaker: method={experiment.method.name} lets trials resume from copies of checkpoints, and a job "
            "that loses its machine gets none of these back; run it here or by launcher=slurm, or use a method such as ASHA"
        )
    constants = {k: v for k, v in experiment.benchmark.config_space.items() if not isinstance(v, Mapping)}
    refuse_secrets("benchmark.arguments", {**constants, **experiment.benchmark.arguments})
    refuse_secrets("callbacks", experiment.callbacks)
    check_nodes(experiment, "launcher.instance_count", settings.instance_count)
    backend = backend_of(experiment)[0]
    if not (backend.capabilities.trials_beside_it or experiment.launcher.get("dry_run")):
        backend.check(experiment)  # now, and not in a job that then fails
    bundle = make_bundle(
        experiment.benchmark,
        settings.source_dependencies,
        settings.exclude,
        most_mb=settings.max_bundle_mb,
        extras=backend.capabilities.extras,
    )
    in_job = bundle.benchmark
    if in_job.data is not None and in_job.data.startswith("s3://") and backend.capabilities.trials_beside_it:
        in_job = replace(in_job, data=DATA_CHANNEL)
    config = replace(
        experiment,
        benchmark=in_job,
        grace_period_seconds=min(experiment.grace_period_seconds, SIGNAL_GRACE),
        backend=_backend(backend.keys_of(experiment), settings),
        launcher={"name": "sagemaker", "sync_seconds": settings.sync_seconds},
        resume=True,  # the service restarts interrupted jobs, which then resume
    )
    text = to_yaml(config).encode()
    code_key = f"{settings.prefix}/_code/{bundle.digest}"
    config_key = f"{settings.prefix}/_experiments/{hashlib.blake2b(text, digest_size=16).hexdigest()}"
    results = results_prefix(experiment, settings.prefix)
    request = _request(experiment, settings, code_key, config_key, results)
    return SageMakerJob(
        request=request,
        bundle=bundle,
        config=config,
        code_key=code_key,
        config_key=config_key,
        results=results,
    )


def _backend(keys: Mapping[str, Any], settings: SageMakerSettings) -> dict[str, Any]:
    """Return the backend's keys for the job; several instances share no directory, so their checkpoints go to the bucket."""
    if (settings.instance_count or 1) == 1 or keys.get("storage"):
        return dict(keys)
    return {**keys, "storage": f"s3://{settings.bucket}/{settings.prefix}"}


def _request(
    experiment: ExperimentConfig, settings: SageMakerSettings, code_key: str, config_key: str, results: str
) -> dict[str, Any]:
    beside = backend_of(experiment)[0].capabilities.trials_beside_it
    instance_type = checked_instance_type(
        settings.instance_type or experiment.benchmark.instance_type,
        (experiment.num_gpus_per_trial or 0) if beside else 0,
    )
    assert settings.region is not None
    image = settings.image_uri or image_uri(
        experiment.benchmark.framework, settings.framework_version, settings.region, instance_type
    )
    root = f"s3://{settings.bucket}"
    digest = identity(experiment)
    data = (experiment.benchmark.data or "") if beside else ""
    return training_request(
        name=job_name(experiment),
        identity=digest,
        settings=_encrypting(settings),
        instance_type=instance_type,
        instance_count=settings.instance_count or 1,
        image=image,
        module="hpo.sagemaker.job",
        channels={
            "code": f"{root}/{code_key}/",
            "experiment": f"{root}/{config_key}/",
            **({"data": data} if data.startswith("s3://") else {}),
        },
        runtime=longest_run(experiment, settings),
        tags=tags_of(experiment),
        metrics=definitions(experiment, nonce_of(digest)) if experiment.remote_tuning_metrics else [],
        checkpoints=f"{root}/{results}/",
    )


def _encrypting(settings: SageMakerSettings) -> SageMakerSettings:
    """Return the settings with the KMS key also in the form that the checkpoint storage of several instances reads."""
    if (settings.instance_count or 1) == 1 or settings.kms_key is None:
        return settings
    told = {"AWS_SERVER_SIDE_ENCRYPTION": "aws:kms", "AWS_SSE_KMS_KEY_ID": settings.kms_key}
    return replace(settings, environment={**told, **settings.environment})
