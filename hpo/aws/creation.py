"""Creating a training job exactly once: same name, same job, however often it is asked for.

The service accepts a name once. When it is taken, the job of that name tells by the identity among its hyperparameters
whether it is ours.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.aws.client import aws_errors_as_sentence, code_of, message_of
from hpo.aws.training import IDENTITY
from hpo.errors import HPOError


@dataclass(frozen=True)
class NoRoom:
    """There is no room for another job now."""

    message: str
    throttled: bool
    """Only too many requests: there will be room in seconds."""

    def __str__(self) -> str:
        return f"waiting for room ({self.message.split('. ')[0]})"


def create(sagemaker: Any, request: Mapping[str, Any], group: str) -> dict[str, Any] | NoRoom:
    """Ask for the job once.

    Args:
        sagemaker: a client.
        request: the arguments of `create_training_job`.
        group: what the keys stand under that a sentence names.

    Returns:
        its ARN, with `new` true; or the description of the job that has the name, with `new` false.

    Raises:
        HPOError: it was refused, and will be; the sentence says what to do.
    """
    name = request["TrainingJobName"]
    try:
        return {"new": True, **sagemaker.create_training_job(**request)}
    except Exception as error:
        code = code_of(error)
        if code == "ResourceInUse" or (code == "ValidationException" and "already exists" in message_of(error)):
            with aws_errors_as_sentence(name, group=group):
                return {"new": False, **sagemaker.describe_training_job(TrainingJobName=name)}
        if code in ("ResourceLimitExceeded", "ThrottlingException", "Throttling", "TooManyRequestsException"):
            _check_quota(request, message_of(error), group)
            return NoRoom(message_of(error), code != "ResourceLimitExceeded")
        if code == "ValidationException" and "ole" in message_of(error) and "assume" in message_of(error):
            raise HPOError(
                f"{group}.role={request['RoleArn']}: SageMaker may not assume it; add sagemaker.amazonaws.com to its trust "
                f"relationship"
            ) from error
        with aws_errors_as_sentence(name, group=group):
            raise


def is_ours(found: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Is the job of that name the one that is asked for?"""
    return bool(found.get("HyperParameters", {}).get(IDENTITY) == request["HyperParameters"][IDENTITY])


def _check_quota(request: Mapping[str, Any], message: str, group: str) -> None:
    """Raise HPOError where there will never be room."""
    instance_type = request["ResourceConfig"]["InstanceType"]
    limit = re.search(r"is (\d+) Instances", message)
    if limit is not None and int(limit[1]) == 0:
        kind = "spot training job usage" if request["EnableManagedSpotTraining"] else "training job usage"
        raise HPOError(
            f"{group}.instance_type={instance_type}: this account's quota is 0; request an increase of "
            f"'{instance_type} for {kind}' under Service Quotas > Amazon SageMaker, or choose another type"
        )
