"""What is sent to SageMaker for one experiment: the arguments of `create_training_job`, and the two inputs of the job.

Pure: nothing is asked and nothing is written. The job's code and its experiment.yaml lie on S3 under names made from
their content, so that twenty jobs share one upload and a second call makes the same request.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hpo.aws.images import checked_instance_type, image_uri
from hpo.aws.names import identity, job_name, results_prefix, tag_value
from hpo.aws.settings import SageMakerSettings, refuse_secrets
from hpo.backends.bundle import Bundle, make_bundle
from hpo.config.reading import to_yaml
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.launchers.sagemaker.tuning_metrics import definitions, nonce_of

IDENTITY = "hpo_experiment"
"""Hyperparameter that holds the experiment's identity: what tells our job from another one of the same name."""

SIGNAL_GRACE = 90.0
"""Seconds of grace a job may give its trials: the service kills it 120 s after SIGTERM, and results are copied last."""

START_UP = 900
LONGEST_RUN = 2419200
USUAL_LONGEST_RUN = 432000
DATA_CHANNEL = "/opt/ml/input/data/data"


@dataclass(frozen=True)
class SageMakerJob:
    """One experiment as a job."""

    request: Mapping[str, Any]
    bundle: Bundle
    config: ExperimentConfig
    """What the job runs: the experiment with its script where the bundle has it."""
    code_key: str
    config_key: str
    results: str
    """Key under which results lie."""


def make_job(experiment: ExperimentConfig, settings: SageMakerSettings) -> SageMakerJob:
    """The job of a resolved experiment.

    Raises:
        ConfigError: something in it cannot be sent.
    """
    constants = {k: v for k, v in experiment.benchmark.config_space.items() if not isinstance(v, Mapping)}
    refuse_secrets("benchmark.arguments", {**constants, **experiment.benchmark.arguments})
    refuse_secrets("callbacks", experiment.callbacks)
    bundle = make_bundle(
        experiment.benchmark, settings.source_dependencies, settings.exclude, most_mb=settings.max_bundle_mb
    )
    in_job = bundle.benchmark
    if in_job.data is not None and in_job.data.startswith("s3://"):
        in_job = replace(in_job, data=DATA_CHANNEL)
    config = replace(
        experiment,
        benchmark=in_job,
        grace_period_seconds=min(experiment.grace_period_seconds, SIGNAL_GRACE),
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


def _request(
    experiment: ExperimentConfig, settings: SageMakerSettings, code_key: str, config_key: str, results: str
) -> dict[str, Any]:
    instance_type = checked_instance_type(
        settings.instance_type or experiment.benchmark.instance_type, experiment.num_gpus_per_trial or 0
    )
    assert settings.region is not None
    image = settings.image_uri or image_uri(
        experiment.benchmark.framework, settings.framework_version, settings.region, instance_type
    )
    root = f"s3://{settings.bucket}"
    digest = identity(experiment)
    metrics = definitions(experiment, nonce_of(digest)) if experiment.remote_tuning_metrics else []
    runtime = _max_runtime(experiment, settings)
    wait = settings.max_wait or min(2 * runtime + 86400, LONGEST_RUN)
    data = experiment.benchmark.data or ""
    subnets = {"Subnets": [*settings.subnets], "SecurityGroupIds": [*settings.security_groups]}
    request = _with_further(
        {
            "TrainingJobName": job_name(experiment),
            "HyperParameters": {IDENTITY: digest},
            "AlgorithmSpecification": _with_further(
                {
                    "TrainingImage": image,
                    "TrainingInputMode": "File",
                    "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/bootstrap.py"],
                    "EnableSageMakerMetricsTimeSeries": bool(metrics),
                },
                MetricDefinitions=metrics,
            ),
            "RoleArn": settings.role,
            "InputDataConfig": [
                _channel("code", f"{root}/{code_key}/"),
                _channel("experiment", f"{root}/{config_key}/"),
                *([_channel("data", data)] if data.startswith("s3://") else []),
            ],
            "OutputDataConfig": _with_further(
                {"S3OutputPath": f"{root}/{settings.prefix}/_output"}, KmsKeyId=settings.kms_key
            ),
            "ResourceConfig": _with_further(
                {"InstanceType": instance_type, "InstanceCount": 1, "VolumeSizeInGB": settings.volume_gb},
                KeepAlivePeriodInSeconds=settings.keep_alive,
                VolumeKmsKeyId=settings.volume_kms_key,
            ),
            "StoppingCondition": _with_further(
                {"MaxRuntimeInSeconds": runtime}, MaxWaitTimeInSeconds=max(wait, runtime) if settings.spot else None
            ),
            "CheckpointConfig": {"S3Uri": f"{root}/{results}/", "LocalPath": "/opt/ml/checkpoints"},
            "EnableManagedSpotTraining": settings.spot,
            "ProfilerConfig": {"DisableProfiler": True},
            "Tags": _tags(experiment, settings),
        },
        RetryStrategy=settings.retries and {"MaximumRetryAttempts": settings.retries},
        VpcConfig=settings.subnets and subnets,
        Environment=dict(settings.environment),
    )
    _check_limits(request)
    return request


def _with_further(content: dict[str, Any], **further: Any) -> dict[str, Any]:
    """Part of a request, and of what is optional there the keys whose values are not empty."""
    return content | {key: value for key, value in further.items() if value}


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


def _max_runtime(experiment: ExperimentConfig, settings: SageMakerSettings) -> int:
    """As given, else what the budget needs and time to start; without a budget three days, as Syne Tune does."""
    if settings.max_runtime is not None:
        return settings.max_runtime
    budget = experiment.max_wallclock_time
    if budget is None:
        return 72 * 3600
    if not math.isfinite(budget) or 1.2 * budget + START_UP > USUAL_LONGEST_RUN:
        return USUAL_LONGEST_RUN
    return math.ceil(1.2 * budget) + START_UP


def _tags(experiment: ExperimentConfig, settings: SageMakerSettings) -> list[dict[str, str]]:
    ours = {
        "hpo:tag": experiment.experiment_tag,
        "hpo:benchmark": experiment.benchmark.name,
        "hpo:method": experiment.method.name,
        "hpo:seed": str(experiment.seed),
    }
    values = {**{name: tag_value(value) for name, value in ours.items()}, **settings.tags}
    return [{"Key": name, "Value": value} for name, value in values.items()]


_TAG_TEXT = re.compile(r"[\w .:/=+\-@]*")


def _check_limits(request: Mapping[str, Any]) -> None:
    """Raise ConfigError where something the user typed is more than the service takes; botocore does not look."""
    tags = request["Tags"]
    if len(tags) > 50:
        raise ConfigError(f"launcher.tags: the service takes 50 tags, four of them ours; these are {len(tags)}")
    for tag in tags:
        key, value = tag["Key"], tag["Value"]
        fits = 1 <= len(key) <= 128 and len(value) <= 256 and not key.lower().startswith("aws:")
        if not fits or not _TAG_TEXT.fullmatch(key) or not _TAG_TEXT.fullmatch(value):
            raise ConfigError(
                f"launcher.tags.{key}: use at most 128 characters for a name that does not begin with aws:, at most 256 "
                f"for its value, and in both only letters, digits, blanks and _ . : / = + - @"
            )
    environment = request.get("Environment", {})
    if len(environment) > 100:
        raise ConfigError(f"launcher.environment: the service takes 100 variables, these are {len(environment)}")
    for name, value in environment.items():
        if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]{0,511}", name) or len(value) > 512 or "\n" in value:
            raise ConfigError(
                f"launcher.environment.{name}: the service takes one line of at most 512 characters; pass more in "
                f"benchmark.arguments, which have no limit"
            )
    for channel in request["InputDataConfig"]:
        uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
        if len(uri) > 1024 or not re.fullmatch(r"s3://[^/]+/?.*", uri):
            raise ConfigError(f"benchmark.data={uri!r}: that is no S3 address, such as s3://bucket/folder/")
    output, resources, vpc = request["OutputDataConfig"], request["ResourceConfig"], request.get("VpcConfig", {})
    for key, value in (("kms_key", output.get("KmsKeyId")), ("volume_kms_key", resources.get("VolumeKmsKeyId"))):
        if value is not None and not re.fullmatch(r"[a-zA-Z0-9:/_-]{1,2048}", value):
            raise ConfigError(f"launcher.{key}={value!r}: that is no key; give its id, ARN or alias")
    for name, most in (("Subnets", 16), ("SecurityGroupIds", 5)):
        if len(vpc.get(name, ())) > most or not all(re.fullmatch(r"[-0-9a-zA-Z]{1,32}", i) for i in vpc.get(name, ())):
            key = "subnets" if name == "Subnets" else "security_groups"
            raise ConfigError(
                f"launcher.{key}={list(vpc[name])}: give at most {most} ids, such as subnet-0123 or sg-0123"
            )
    image = request["AlgorithmSpecification"]["TrainingImage"]
    if not re.fullmatch(r"\S{1,255}", image):
        raise ConfigError(f"launcher.image_uri={image!r}: that is no image; use one line of at most 255 characters")
