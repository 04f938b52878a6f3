"""The creation of a training job exactly once: same name, same job, however often it is requested.

The service accepts a name once. If the name is taken, the identity among the hyperparameters of that job shows whether it
is the same job.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.errors import HPOError
from hpo.sagemaker.client import aws_errors_as_sentence, code_of, message_of
from hpo.sagemaker.training import IDENTITY


@dataclass(frozen=True)
class NoRoom:
    """The answer that there is no room for another job now."""

    message: str
    throttled: bool
    """Whether the cause is only the rate of requests, so that there will be room in seconds."""

    def __str__(self) -> str:
        return f"waiting for room ({self.message.split('. ')[0]})"


def create(sagemaker: Any, request: Mapping[str, Any], group: str) -> dict[str, Any] | NoRoom:
    """Request the job once.

    Args:
        sagemaker: A client of boto3.
        request: Arguments of `create_training_job`.
        group: Group of the configuration that an error names.

    Returns:
        The job's ARN, with `new` true; or the description of the job that has the name, with `new` false.

    Raises:
        HPOError: AWS rejects the request for good; the sentence says what to do.
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
    """Whether the existing job of that name is the requested one."""
    return bool(found.get("HyperParameters", {}).get(IDENTITY) == request["HyperParameters"][IDENTITY])


def _check_quota(request: Mapping[str, Any], message: str, group: str) -> None:
    """Raise HPOError if there will never be room for the job."""
    instance_type = request["ResourceConfig"]["InstanceType"]
    limit = re.search(r"is (\d+) Instances", message)
    if limit is not None and int(limit[1]) == 0:
        kind = "spot training job usage" if request["EnableManagedSpotTraining"] else "training job usage"
        raise HPOError(
            f"{group}.instance_type={instance_type}: this account's quota is 0; request an increase of "
            f"'{instance_type} for {kind}' under Service Quotas > Amazon SageMaker, or choose another type"
        )
