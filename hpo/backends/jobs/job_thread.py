"""The thread that calls the job service, one request after the other, so that the tuner never waits for it."""

import heapq
import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hpo.backends.jobs.messages import Accepted, Cancelled, Described, Held, Message, Trouble
from hpo.backends.jobs.object_names import ObjectNames, StoredCheckpoint, newest
from hpo.backends.jobs.protocols import Intervals, JobRequest, JobService, ObjectPlace, Refused, Submitted
from hpo.errors import HPOError

log = logging.getLogger(__name__)

SOON = 5.0
"""Seconds until the next request to a service that only limits the rate of requests."""
MOST_REMOVED = 1000


@dataclass
class TrialJob:
    """The job of one attempt."""

    name: str
    """Name of the attempt."""
    trial_id: int
    request: JobRequest
    order: Callable[[str | None], bytes]
    """Function that makes the order for resuming from a checkpoint, given by its key."""
    taken: Mapping[int, int] = field(default_factory=dict)
    """Bytes of reports that were taken in, by attempt of the trial."""
    after: int = -1
    """Attempt up to which checkpoints are not used."""
    job: str | None = None
    """The service's name of the job, once it exists."""
    queued: bool = False
    """Whether the job waits in the service's queue."""
    cancelled: bool = False
    restored: StoredCheckpoint | None = None
    """Checkpoint that its order resumes from."""

    @property
    def at_work(self) -> bool:
        """Whether the job may be running."""
        return self.job is not None and not self.queued


class JobThread:
    """A thread that creates, stops and looks up the jobs of one backend.

    Args:
        service: The platform's job service; only this thread calls it.
        place: The platform's place for objects.
        names: Names of the experiment's objects there.
        intervals: Seconds until the service is asked again.
        tell: Called in this thread with each message.
    """

    def __init__(
        self,
        *,
        service: JobService,
        place: ObjectPlace,
        names: ObjectNames,
        intervals: Intervals,
        tell: Callable[[Message], None],
    ) -> None:
        self._service, self._place, self._names, self._intervals = service, place, names, intervals
        self._tell = tell
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._to_create: list[TrialJob] = []
        self._to_describe: list[TrialJob] = []
        self._numbers = itertools.count()
        self._condition = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, daemon=True, name="job-service")
        self._thread.start()

    def create(self, job: TrialJob, after: float = 0.0) -> None:
        """Create a job once there is room; jobs requested while the service answers are submitted together."""

        def add() -> None:
            self._to_create.append(job)
            self._do(self._create)

        self._do(add, after)

    def stop(self, job: TrialJob, patience: float = 0.0) -> None:
        """End a job after some seconds, unless it has ended."""
        self._do(lambda: self._stop(job), patience)

    def describe(self, job: TrialJob) -> None:
        """Ask the service for the state of a job."""

        def add() -> None:
            self._to_describe.append(job)
            self._do(self._describe)

        self._do(add)

    def release(self, job: TrialJob) -> None:
        """Let the service forget the job of an attempt that has finished."""
        self._do(lambda: self._service.release(job.job) if job.job is not None else None)

    def forget(self, trial_id: int, upto: int) -> None:
        """Remove the checkpoints of a trial's attempts up to the attempt `upto`."""
        self._do(lambda: self._forget(trial_id, upto))

    def close(self, limit: float) -> None:
        """Finish what is due, close the service and end the thread; later tasks are dropped."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(limit)

    def stored(self) -> list[StoredCheckpoint]:
        """Return all checkpoints of the experiment; runs in the caller's thread."""
        return self._stored(self._names.checkpoints())

    # ------------------------------------------------------------------ in the thread

    def _do(self, action: Callable[[], None], after: float = 0.0) -> None:
        with self._condition:
            heapq.heappush(self._due, (time.monotonic() + after, next(self._numbers), action))
            self._condition.notify()

    def _work(self) -> None:
        while (action := self._next()) is not None:
            try:
                action()
            except Exception as error:  # the tuner's thread raises it
                self._tell(Trouble(error))
        try:
            self._service.close()
        except (HPOError, OSError) as error:
            log.warning("%s", error)

    def _next(self) -> Callable[[], None] | None:
        with self._condition:
            while not self._due or self._due[0][0] > time.monotonic():
                if self._closing:
                    return None
                self._condition.wait(self._due[0][0] - time.monotonic() if self._due else None)
            return heapq.heappop(self._due)[2]

    def _create(self) -> None:
        jobs, self._to_create = [job for job in self._to_create if not job.cancelled], []
        for job in jobs:
            self._place.write(f"{self._names.order(job.name)}order.json", job.order(self._checkpoint(job)))
        answers = self._service.submit([job.request for job in jobs]) if jobs else iter(())
        for job, answer in zip(jobs, answers, strict=True):
            match answer:
                case Submitted():
                    job.job = answer.job
                    self._tell(Accepted(job.name, answer))
                case Refused():
                    self._tell(Held(job.name, answer.message))
                    pause = min(self._intervals.refusal, SOON) if answer.soon else self._intervals.refusal
                    self.create(job, pause * random.uniform(0.5, 1.0))

    def _checkpoint(self, job: TrialJob) -> str | None:
        """Return the key of the checkpoint to resume from, if the trial has had attempts."""
        stored = self._stored(self._names.checkpoints(job.trial_id)) if job.taken else []
        found = job.restored = newest(stored, job.taken, job.after)
        return None if found is None else found.key

    def _stored(self, prefix: str) -> list[StoredCheckpoint]:
        found = (StoredCheckpoint.read(item.key, item.size) for item in self._place.list(prefix))
        return [one for one in found if one is not None]

    def _stop(self, job: TrialJob) -> None:
        if job.job is not None:
            self._service.stop(job.job)
            if job.queued:  # it has written nothing by which its end would be noticed
                self.describe(job)
        elif not job.cancelled:
            job.cancelled = True
            self._tell(Cancelled(job.name))

    def _describe(self) -> None:
        jobs, self._to_describe = {job.job: job for job in self._to_describe if job.job is not None}, []
        try:
            found = self._service.describe(list(jobs)) if jobs else {}
        except OSError as error:  # the next silence asks again
            log.warning("%s", error)
            return
        for name, status in found.items():
            self._tell(Described(jobs[name].name, status))

    def _forget(self, trial_id: int, upto: int) -> None:
        stored = [one for one in self._stored(self._names.checkpoints(trial_id)) if one.attempt <= upto]
        if stored:
            self._place.remove([one.key for one in stored[:MOST_REMOVED]])
