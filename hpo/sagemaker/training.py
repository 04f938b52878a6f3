"""The arguments of `create_training_job`, for whatever the job runs, and the service's limits on them.

Pure: no request is sent and no file is written.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.sagemaker.names import tag_value
from hpo.sagemaker.settings import SageMakerSettings

IDENTITY = "hpo_experiment"
"""Hyperparameter with the text that distinguishes hpo's job from another of the same name."""

SIGNAL_GRACE = 90.0
"""Longest grace period of a job's trials in seconds: the job is killed 120 s after SIGTERM, and results are copied last."""

START_UP = 900
LONGEST_RUN = 2419200
USUAL_LONGEST_RUN = 432000
DATA_CHANNEL = "/opt/ml/input/data/data"


def training_request(
    *,
    name: str,
    identity: str,
    settings: SageMakerSettings,
    instance_type: str,
    instance_count: int = 1,
    image: str,
    module: str,
    channels: Mapping[str, str],
    runtime: int,
    tags: Mapping[str, str],
    metrics: Sequence[Mapping[str, str]] = (),
    checkpoints: str | None = None,
    retries: int | None = None,
) -> dict[str, Any]:
    """Return the arguments of `create_training_job`.

    Args:
        name: Name of the job.
        identity: Text that distinguishes it from another job of the same name.
        settings: Settings of all jobs.
        instance_type: Type of its machines.
        instance_count: Number of its machines.
        image: URI of its container image.
        module: Module that it runs once its code is unpacked.
        channels: S3 addresses by channel; `code` has the bundle and the bootstrap.
        runtime: Time limit in seconds.
        tags: Tags in addition to those of the settings.
        metrics: Metric definitions.
        checkpoints: S3 address at which the service keeps /opt/ml/checkpoints.
        retries: Retries after errors of the service; None: as in the settings.

    Raises:
        ConfigError: A value of the user exceeds a limit of the service.
    """
    wait = min(2 * runtime + 86400, LONGEST_RUN) if settings.max_wait is None else settings.max_wait
    if settings.spot and wait < runtime:
        group = settings.group
        raise ConfigError(
            f"{group}.max_wait={wait}: that is less than the {runtime} s that the job itself may take, which are part of it; "
            f"give at least {runtime}, or shorten the job by {group}.max_runtime"
        )
    subnets = {"Subnets": [*settings.subnets], "SecurityGroupIds": [*settings.security_groups]}
    retries = settings.retries if retries is None else retries
    request = _with_further(
        {
            "TrainingJobName": name,
            "HyperParameters": {IDENTITY: identity},
            "AlgorithmSpecification": _with_further(
                {
                    "TrainingImage": image,
                    "TrainingInputMode": "File",
                    "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/bootstrap.py"],
                    "ContainerArguments": [module],
                    "EnableSageMakerMetricsTimeSeries": bool(metrics),
                },
                MetricDefinitions=list(metrics),
            ),
            "RoleArn": settings.role,
            "InputDataConfig": [_channel(channel, uri) for channel, uri in channels.items()],
            "OutputDataConfig": _with_further(
                {"S3OutputPath": f"s3://{settings.bucket}/{settings.prefix}/_output"}, KmsKeyId=settings.kms_key
            ),
            "ResourceConfig": _with_further(
                {"InstanceType": instance_type, "InstanceCount": instance_count, "VolumeSizeInGB": settings.volume_gb},
                KeepAlivePeriodInSeconds=settings.keep_alive,
                VolumeKmsKeyId=settings.volume_kms_key,
            ),
            "StoppingCondition": _with_further(
                {"MaxRuntimeInSeconds": runtime}, MaxWaitTimeInSeconds=wait if settings.spot else None
            ),
            "EnableManagedSpotTraining": settings.spot,
            "ProfilerConfig": {"DisableProfiler": True},
            "Tags": [{"Key": key, "Value": value} for key, value in {**tags, **settings.tags}.items()],
        },
        CheckpointConfig=checkpoints and {"S3Uri": checkpoints, "LocalPath": "/opt/ml/checkpoints"},
        RetryStrategy=retries and {"MaximumRetryAttempts": retries},
        VpcConfig=settings.subnets and subnets,
        Environment=dict(settings.environment),
    )
    _check_limits(request, settings.group)
    return request


def longest_run(experiment: ExperimentConfig, settings: SageMakerSettings) -> int:
    """Return the time limit: as given, else the budget and time to start; without a budget three days, as Syne Tune does."""
    if settings.max_runtime is not None:
        return settings.max_runtime
    budget = experiment.max_wallclock_time
    if budget is None:
        return 72 * 3600
    if not math.isfinite(budget) or 1.2 * budget + START_UP > USUAL_LONGEST_RUN:
        return USUAL_LONGEST_RUN
    return math.ceil(1.2 * budget) + START_UP


def tags_of(experiment: ExperimentConfig) -> dict[str, str]:
    """Return the tags that describe a job's experiment."""
    ours = {
        "hpo:tag": experiment.experiment_tag,
        "hpo:benchmark": experiment.benchmark.name,
        "hpo:method": experiment.method.name,
        "hpo:seed": str(experiment.seed),
    }
    return {name: tag_value(value) for name, value in ours.items()}


def _with_further(content: dict[str, Any], **further: Any) -> dict[str, Any]:
    """Return a part of a request with those optional keys added whose values are not empty."""
    return content | {key: value for key, value in further.items() if value}


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


_TAG_TEXT = re.compile(r"[\w .:/=+\-@]*")


def _check_limits(request: Mapping[str, Any], group: str) -> None:
    """Raise ConfigError if a value of the user exceeds a limit of the service, which botocore does not check."""
    tags = request["Tags"]
    if len(tags) > 50:
        raise ConfigError(f"{group}.tags: the service takes 50 tags, four of them hpo's; these are {len(tags)}")
    for tag in tags:
        key, value = tag["Key"], tag["Value"]
        fits = 1 <= len(key) <= 128 and len(value) <= 256 and not key.lower().startswith("aws:")
        if not fits or not _TAG_TEXT.fullmatch(key) or not _TAG_TEXT.fullmatch(value):
            raise ConfigError(
                f"{group}.tags.{key}: use at most 128 characters for a name that does not begin with aws:, at most 256 "
                f"for its value, and in both only letters, digits, blanks and _ . : / = + - @"
            )
    environment = request.get("Environment", {})
    if len(environment) > 100:
        raise ConfigError(f"{group}.environment: the service takes 100 variables, these are {len(environment)}")
    for name, value in environment.items():
        if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]{0,511}", name) or len(value) > 512 or "\n" in value:
            raise ConfigError(
                f"{group}.environment.{name}: the service takes one line of at most 512 characters; pass more in "
                f"benchmark.arguments, which have no limit"
            )
    for channel in request["InputDataConfig"]:
        uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
        if len(uri) > 1024 or not re.fullmatch(r"s3://[^/]+/?.*", uri):
            raise ConfigError(f"benchmark.data={uri!r}: that is not an S3 address, such as s3://bucket/folder/")
    output, resources, vpc = request["OutputDataConfig"], request["ResourceConfig"], request.get("VpcConfig", {})
    for key, value in (("kms_key", output.get("KmsKeyId")), ("volume_kms_key", resources.get("VolumeKmsKeyId"))):
        if value is not None and not re.fullmatch(r"[a-zA-Z0-9:/_-]{1,2048}", value):
            raise ConfigError(f"{group}.{key}={value!r}: that is not a key; give its id, ARN or alias")
    for name, most in (("Subnets", 16), ("SecurityGroupIds", 5)):
        if len(vpc.get(name, ())) > most or not all(re.fullmatch(r"[-0-9a-zA-Z]{1,32}", i) for i in vpc.get(name, ())):
            key = "subnets" if name == "Subnets" else "security_groups"
            raise ConfigError(
                f"{group}.{key}={list(vpc[name])}: give at most {most} ids, such as subnet-0123 or sg-0123"
            )
    image = request["AlgorithmSpecification"]["TrainingImage"]
    if not re.fullmatch(r"\S{1,255}", image):
        raise ConfigError(f"{group}.image_uri={image!r}: that is not an image; use one line of at most 255 characters")
