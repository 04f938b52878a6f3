"""Jobs: created, stopped and asked about one after the other in a thread, so that nobody waits for the service."""

import heapq
import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hpo.aws.client import aws_errors_as_sentence, code_of, encryption
from hpo.aws.creation import NoRoom, create, is_ours
from hpo.aws.settings import SageMakerSettings
from hpo.backends.sagemaker.places import JobPlaces, StoredCheckpoint, newest
from hpo.backends.sagemaker.watch import Trouble
from hpo.errors import HPOError

log = logging.getLogger(__name__)

MOST_NAMES = 20
_UNKNOWN = ("ValidationException", "ResourceNotFound")


@dataclass(frozen=True)
class Created:
    """An attempt has its job."""

    name: str
    job: str
    found: Mapping[str, Any]
    """What the service said; a job of an earlier session's is described."""


@dataclass(frozen=True)
class Held:
    """An attempt waits for room."""

    name: str
    message: str


@dataclass(frozen=True)
class Cancelled:
    """An attempt was stopped before it had a job."""

    name: str


@dataclass(frozen=True)
class Described:
    """What the service says of a job."""

    name: str
    found: Mapping[str, Any]


@dataclass
class TrialJob:
    """One attempt's job."""

    name: str
    """Of the attempt."""
    trial_id: int
    request: Callable[[int], Mapping[str, Any]]
    """Makes what is sent, for the name's n-th variant."""
    order: Callable[[str | None], bytes]
    """Makes the order that goes on from a checkpoint."""
    taken: Mapping[int, int] = field(default_factory=dict)
    """Bytes of reports that were taken in, by attempt."""
    after: int = -1
    """Checkpoints of this attempt and those before are not used."""
    created: str | None = None
    """Its name, once it is there."""
    cancelled: bool = False
    restored: StoredCheckpoint | None = None
    """That its order goes on from."""


class Service:
    """Talks with the service for one backend.

    Args:
        sagemaker: a client.
        s3: another.
        settings: of the jobs.
        places: on S3.
        tell: is given what happens, in this class's thread.
    """

    def __init__(
        self, *, sagemaker: Any, s3: Any, settings: SageMakerSettings, places: JobPlaces, tell: Callable[[Any], None]
    ) -> None:
        self._sagemaker, self._s3, self._settings, self._places = sagemaker, s3, settings, places
        self._tell = tell
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._condition = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, daemon=True, name="sagemaker-service")
        self._thread.start()

    def create(self, job: TrialJob) -> None:
        """Have the job, once there is room."""
        self._do(lambda: self._create(job))

    def stop(self, job: TrialJob, patience: float = 0.0) -> None:
        """End the job after so many seconds, unless it has ended."""
        self._do(lambda: self._stop(job), patience)

    def describe(self, job: TrialJob) -> None:
        """Ask what has become of it."""
        self._do(lambda: self._describe(job))

    def forget(self, trial_id: int, upto: int) -> None:
        """Remove the checkpoints of a trial's attempts up to one."""
        self._do(lambda: self._forget(trial_id, upto))

    def close(self, limit: float) -> None:
        """Do what is due, and end the thread; what is due later is left."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(limit)

    # ------------------------------------------------------------------ in the thread

    def _do(self, action: Callable[[], None], after: float = 0.0) -> None:
        with self._condition:
            heapq.heappush(self._due, (time.monotonic() + after, next(self._numbers), action))
            self._condition.notify()

    def _work(self) -> None:
        while True:
            with self._condition:
                while not self._due or self._due[0][0] > time.monotonic():
                    if self._closing:
                        return
                    self._condition.wait(self._due[0][0] - time.monotonic() if self._due else None)
                _, _, action = heapq.heappop(self._due)
            try:
                action()
            except Exception as error:  # the tuner's thread raises it
                self._tell(Trouble(error))

    def _create(self, job: TrialJob) -> None:
        if job.cancelled:
            return
        with aws_errors_as_sentence(f"s3://{self._settings.bucket}/{self._places.root}", group="backend"):
            self._s3.put_object(
                Bucket=self._settings.bucket,
                Key=f"{self._places.order(job.name)}order.json",
                Body=job.order(self._checkpoint(job)),
                **encryption(self._settings),
            )
        for again in range(MOST_NAMES):
            request = job.request(again)
            found = create(self._sagemaker, request, "backend")
            if isinstance(found, NoRoom):
                self._tell(Held(job.name, str(found) if not found.throttled else ""))
                pause = min(self._settings.quota_wait, 5.0) if found.throttled else self._settings.quota_wait
                self._do(lambda: self._create(job), pause * random.uniform(0.5, 1.0))
                return
            if found["new"] or is_ours(found, request):
                job.created = request["TrainingJobName"]
                self._tell(Created(job.name, job.created, found))
                return
        raise HPOError(
            f"{job.request(0)['TrainingJobName']}: jobs of others have this name and {MOST_NAMES - 1} like it; use another "
            f"experiment_tag"
        )

    def _checkpoint(self, job: TrialJob) -> str | None:
        """The key to go on from, of a trial that has had attempts."""
        stored = self._stored(self._places.checkpoints(job.trial_id)) if job.taken else []
        found = job.restored = newest(stored, job.taken, job.after)
        return None if found is None else found.key

    def _stored(self, prefix: str) -> list[StoredCheckpoint]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._settings.bucket, Prefix=prefix)
        found = (
            StoredCheckpoint.read(item["Key"], item["Size"]) for page in pages for item in page.get("Contents", ())
        )
        return [one for one in found if one is not None]

    def stored(self) -> list[StoredCheckpoint]:
        """All checkpoints of the experiment; asked in the caller's thread."""
        with aws_errors_as_sentence(f"s3://{self._settings.bucket}/{self._places.root}", group="backend"):
            return self._stored(self._places.checkpoints())

    def _stop(self, job: TrialJob) -> None:
        if job.created is None:
            if not job.cancelled:
                job.cancelled = True
                self._tell(Cancelled(job.name))
            return
        with aws_errors_as_sentence(job.created, group="backend"):
            try:
                self._sagemaker.stop_training_job(TrainingJobName=job.created)
            except Exception as error:
                if code_of(error) not in _UNKNOWN:
                    raise
                log.info("job %s has ended already", job.created)

    def _describe(self, job: TrialJob) -> None:
        if job.created is None:
            return
        try:
            with aws_errors_as_sentence(job.created, group="backend"):
                self._tell(Described(job.name, self._sagemaker.describe_training_job(TrainingJobName=job.created)))
        except HPOError as error:  # the next silence asks again
            log.warning("%s", error)

    def _forget(self, trial_id: int, upto: int) -> None:
        with aws_errors_as_sentence(f"s3://{self._settings.bucket}/{self._places.root}", group="backend"):
            stored = [one for one in self._stored(self._places.checkpoints(trial_id)) if one.attempt <= upto]
            if stored:
                keys = [{"Key": one.key} for one in stored]
                self._s3.delete_objects(Bucket=self._settings.bucket, Delete={"Objects": keys[:1000], "Quiet": True})
