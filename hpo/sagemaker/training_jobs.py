"""SageMaker's training jobs as a job service; see `JobService`."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpo.backends.jobs.protocols import JobPhase, JobRequest, JobStatus, Refused, Submitted
from hpo.errors import HPOError
from hpo.sagemaker.client import aws_errors_as_sentence, code_of
from hpo.sagemaker.creation import NoRoom, create, is_ours
from hpo.sagemaker.trial_request import TrialJobs

log = logging.getLogger(__name__)

MOST_NAMES = 20
_ENDED = ("Completed", "Failed", "Stopped")
_INTERRUPTED = ("Interrupted", "Restarting")
_UNKNOWN = ("ValidationException", "ResourceNotFound")
_OURS = re.compile(r"AlgorithmError|ClientError")
_KILLED = re.compile(r"exit code:? *(137|-9)\b")


class TrainingJobs:
    """The training jobs of one AWS account.

    Args:
        sagemaker: A client of boto3.
        requests: Maker of the requests.
    """

    def __init__(self, sagemaker: Any, requests: TrialJobs) -> None:
        self._sagemaker, self._requests = sagemaker, requests

    def submit(self, requests: Sequence[JobRequest]) -> Iterator[Submitted | Refused]:
        """See `JobService.submit`."""
        for request in requests:
            yield self._submit(request)

    def _submit(self, request: JobRequest) -> Submitted | Refused:
        for again in range(MOST_NAMES):
            name = request.name(again)
            sent = self._requests.request(name, request.identity, request.order, request.trial_id)
            found = create(self._sagemaker, sent, "backend")
            if isinstance(found, NoRoom):
                return Refused("" if found.throttled else str(found), soon=found.throttled)
            if found["new"]:
                return Submitted(name, new=True, status=JobStatus(JobPhase.RUNNING))
            if is_ours(found, sent):
                return Submitted(name, new=False, status=status_of(found))
        raise HPOError(
            f"{request.name(0)}: jobs of others have this name and {MOST_NAMES - 1} like it; use another experiment_tag"
        )

    def describe(self, jobs: Sequence[str]) -> Mapping[str, JobStatus]:
        """Return the states of jobs, by one request for each; see `JobService.describe`."""
        found = {}
        for job in jobs:
            try:
                with aws_errors_as_sentence(job, group="backend"):
                    found[job] = status_of(self._sagemaker.describe_training_job(TrainingJobName=job))
            except HPOError as error:
                raise OSError(str(error)) from error
        return found

    def stop(self, job: str) -> None:
        """Stop a job by SIGTERM, and SIGKILL 120 s later; see `JobService.stop`."""
        with aws_errors_as_sentence(job, group="backend"):
            try:
                self._sagemaker.stop_training_job(TrainingJobName=job)
            except Exception as error:
                if code_of(error) not in _UNKNOWN:
                    raise
                log.info("job %s has ended already", job)

    def release(self, job: str) -> None:
        """Ignore the call: the service is asked only about jobs that are named."""

    def close(self) -> None:
        """Ignore the call: the clients are shared."""


def status_of(found: Mapping[str, Any]) -> JobStatus:
    """Return the status of a job from its description by the service."""
    status, how = found["TrainingJobStatus"], found.get("SecondaryStatus", found["TrainingJobStatus"])
    reason = " ".join(str(found.get("FailureReason", "")).split())
    phase = JobPhase.RUNNING
    if status in _ENDED:
        phase = JobPhase.ENDED
    elif how in _INTERRUPTED:
        phase = JobPhase.INTERRUPTED
    ours = status == "Failed" and bool(_OURS.match(reason)) and not _KILLED.search(reason)
    return JobStatus(phase, reason or f"the job ended without a word: {how}", failed=ours)
