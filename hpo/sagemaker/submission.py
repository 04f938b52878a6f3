"""The creation of jobs exactly once: same name, same job, however often and whenever the launcher is killed.

See `creation`. A job of this experiment that failed or was stopped is followed by another under the next name, which
resumes from its results. While the account's quota is used up the launcher waits; jobs that are not submitted when the user
gives up are submitted by the next call of the command.
"""

import logging
import random
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hpo.config.reading import read_config, to_yaml
from hpo.config.schema import ExperimentConfig
from hpo.errors import HPOError
from hpo.events.steering import same_limits
from hpo.experiment.opening import differences
from hpo.launchers.remote import REQUEST
from hpo.sagemaker import bootstrap as sagemaker_bootstrap
from hpo.sagemaker.client import (
    aws_errors_as_sentence,
    client,
    code_of,
    preflight,
    read_object,
    upload,
)
from hpo.sagemaker.creation import NoRoom, create, is_ours
from hpo.sagemaker.names import job_name
from hpo.sagemaker.request import SageMakerJob
from hpo.sagemaker.settings import SageMakerSettings
from hpo.sagemaker.training import IDENTITY
from hpo.store.directory import LAUNCH_RECORD, ExperimentDirectory, json_object
from hpo.watching.plain_lines import say

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 99
_uploaded: set[tuple[str | None, str]] = set()
_waiting_said: set[str] = set()


def submit(
    experiment: ExperimentConfig, job: SageMakerJob, settings: SageMakerSettings, output_dir: Path
) -> dict[str, Any]:
    """Create the job unless it exists. Returns the record with which it is found again.

    Raises:
        HPOError: AWS rejected the request; the sentence says what to do.
    """
    preflight(settings)
    _check_results(job, settings)
    contents: dict[str, Callable[[], bytes]] = {
        f"{job.code_key}/bundle.tar.gz": job.bundle.packed,
        f"{job.code_key}/bootstrap.py": Path(sagemaker_bootstrap.__file__).read_bytes,
        f"{job.config_key}/experiment.yaml": lambda: to_yaml(job.config).encode(),
    }
    if job.config.warm_start:
        copy = ExperimentDirectory(output_dir).warm_start
        contents[f"{job.config_key}/{copy.name}"] = copy.read_bytes
    for key, content in contents.items():
        if (settings.bucket, key) not in _uploaded:
            upload(settings, key, content())
            _uploaded.add((settings.bucket, key))
    sagemaker = client("sagemaker", settings.region, settings.profile)
    name, arn = _create(sagemaker, experiment, job, settings, output_dir)
    return {
        "job": name,
        "arn": arn,
        "identity": job.request["HyperParameters"][IDENTITY],
        "bucket": settings.bucket,
        "results": job.results,
        "region": settings.region,
        "profile": settings.profile,
    }


def _check_results(job: SageMakerJob, settings: SageMakerSettings) -> None:
    """Check that results at the destination belong to the same experiment, before the job would fail because of them."""
    s3 = client("s3", settings.region, settings.profile)
    address = f"s3://{settings.bucket}/{job.results}"
    with aws_errors_as_sentence(address), TemporaryDirectory() as folder:
        stored = read_object(s3, settings.bucket, f"{job.results}/experiment.yaml")
        if stored is None or job.config.overwrite:
            return
        path = Path(folder) / "experiment.yaml"
        path.write_bytes(stored)
        if changes := differences(read_config(path), job.config):
            raise HPOError(
                f"{address} holds an experiment of another configuration ({'; '.join(changes[:5])}); pass overwrite=true "
                f"to replace it, or another experiment_tag"
            )
        metadata = read_object(s3, settings.bucket, f"{job.results}/metadata.json")
        if metadata is not None and job.config.retry is None and _has_failed(json_object(metadata), job.config):
            raise HPOError(
                f"{address} holds an experiment that has finished without one finite {job.config.benchmark.metric}; see `hpo "
                f"status {job.config.experiment_tag}`, fix the script, then run the same command with retry=failed"
            )


def _has_failed(metadata: Mapping[str, Any], config: ExperimentConfig) -> bool:
    budget = {key: metadata.get(key) for key in config.budget}
    return metadata.get("status") == "failed" and same_limits(budget, config.budget)


def _remove_results(job: SageMakerJob, settings: SageMakerSettings, output_dir: Path) -> None:
    """Remove what overwrite=true replaces, on S3 and here; the job would otherwise find it and resume from it."""
    s3 = client("s3", settings.region, settings.profile)
    with aws_errors_as_sentence(f"s3://{settings.bucket}/{job.results}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=settings.bucket, Prefix=f"{job.results}/")
        for page in pages:
            if keys := [{"Key": item["Key"]} for item in page.get("Contents", ())]:
                s3.delete_objects(Bucket=settings.bucket, Delete={"Objects": keys, "Quiet": True})
    files = ExperimentDirectory(output_dir)
    for path in output_dir.iterdir() if output_dir.is_dir() else ():
        if path.name not in (LAUNCH_RECORD, REQUEST, files.warm_start.name):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _create(
    sagemaker: Any, experiment: ExperimentConfig, job: SageMakerJob, settings: SageMakerSettings, output_dir: Path
) -> tuple[str, str]:
    """Create the job, or find it. Returns its name and ARN."""
    for attempt in range(MOST_ATTEMPTS):
        name = job_name(experiment, attempt)
        if experiment.overwrite and not _is_there(sagemaker, name):
            _remove_results(job, settings, output_dir)
        found = _create_or_describe(sagemaker, {**job.request, "TrainingJobName": name}, settings.quota_wait)
        if found["new"]:
            return name, found["TrainingJobArn"]
        status = found["TrainingJobStatus"]
        if not is_ours(found, job.request):
            continue  # somebody else's
        if status == "Stopping":
            raise HPOError(f"job {name} is being stopped; run the command again when it has ended, to resume it")
        again = experiment.overwrite or experiment.retry is not None
        if status in ("Failed", "Stopped") or (status == "Completed" and again):
            reason = " ".join(found.get("FailureReason", "").split())
            say(
                f"job {name} {status.lower()} before{': ' + reason if reason else ''}; the next one resumes from its results"
            )
            continue
        if _code_of_job(found) != _code_of_job(job.request):
            log.warning("job %s exists with the code of an earlier call, and continues with that", name)
        return name, found["TrainingJobArn"]
    raise HPOError(
        f"{job_name(experiment)}: {MOST_ATTEMPTS} jobs of this experiment have ended without completing it; see why with "
        f"`hpo status`, then use another experiment_tag"
    )


def _is_there(sagemaker: Any, name: str) -> bool:
    with aws_errors_as_sentence(name):
        try:
            sagemaker.describe_training_job(TrainingJobName=name)
        except Exception as error:
            if code_of(error) in ("ValidationException", "ResourceNotFound"):
                return False
            raise
    return True


def _code_of_job(request: Mapping[str, Any]) -> str:
    return str(request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"])


def _create_or_describe(sagemaker: Any, request: Mapping[str, Any], quota_wait: float) -> dict[str, Any]:
    while isinstance(found := create(sagemaker, request, "launcher"), NoRoom):
        if found.message not in _waiting_said:
            _waiting_said.add(found.message)
            say(f"{found}; Ctrl-C is safe: the same command later sends what is missing")
        pause = min(quota_wait, 5.0) if found.throttled else quota_wait
        time.sleep(pause * random.uniform(0.5, 1.5))  # keeps launchers from retrying at the same moments
    return found
