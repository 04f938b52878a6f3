"""The interfaces with which a platform runs trials as its jobs: a job service, and a place for objects.

The tuner writes an order to the place and asks the service for a job. The job reads the order, runs the attempt, and writes
reports, checkpoints and the exit to the place, where the tuner finds them. Nothing else connects the two.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class JobPhase(StrEnum):
    """The phase of a job's life."""

    QUEUED = "queued"
    """The service has accepted the job, which has not begun."""
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    """The machine was taken away; the service would run the job again."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The service's description of a job."""

    phase: JobPhase
    reason: str = ""
    """Reason for the job's end, in one line."""
    failed: bool = False
    """Whether the training program is at fault, and not the machine or the service."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A request for a job that must exist exactly once."""

    attempt: str
    """Name of the attempt; no other attempt of any experiment has it."""
    name: Callable[[int], str]
    """Function that makes the job's name, and further names for the case that another job has it."""
    identity: str
    """Text that distinguishes the job from others of the same name."""
    order: str
    """Prefix of the objects with the job's order."""
    trial_id: int


@dataclass(frozen=True, slots=True)
class Submitted:
    """The answer that the service has accepted the job."""

    job: str
    """The service's name of the job."""
    new: bool
    """Whether this request created the job; False if an earlier session had requested it."""
    status: JobStatus


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer that the service has no room for the job now and will be asked again."""

    message: str
    """Reason, in a sentence for the user; empty if it need not be shown."""
    soon: bool = False
    """Whether a retry after a few seconds may succeed."""


class JobService(Protocol):
    """A service that runs jobs. All methods are called from one thread."""

    def submit(self, requests: Sequence[JobRequest]) -> Iterator[Submitted | Refused]:
        """Create jobs, each exactly once, however often it is requested; yields one answer per request, in order.

        Raises:
            HPOError: The service rejects a job for good.
        """

    def describe(self, jobs: Sequence[str]) -> Mapping[str, JobStatus]:
        """Return the states of jobs; those that the service cannot tell now are left out.

        Raises:
            OSError: The service cannot be asked now.
            HPOError: The experiment cannot continue; the sentence says why.
        """

    def stop(self, job: str) -> None:
        """Stop a job: its program gets SIGTERM and time to save. A job that has ended is left alone.

        Raises:
            HPOError: The service rejects the request.
        """

    def release(self, job: str) -> None:
        """Forget a job whose attempt has finished; it is not asked about again."""

    def close(self) -> None:
        """End what serves this session alone; jobs that must end were stopped before."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of a place, as a listing shows it."""

    key: str
    size: int
    modified: float
    """Unix time at which the object was written."""


class ObjectPlace(Protocol):
    """A store of objects that tuner and jobs share. An object appears whole or not at all. Several threads may use it.

    Every method raises OSError if the place cannot be reached now, and HPOError, a sentence for the user, if it may not be
    used.
    """

    def list(self, prefix: str) -> Iterable[StoredObject]:
        """Return the objects whose keys begin with a prefix."""

    def read(self, key: str) -> bytes:
        """Return an object's content."""

    def download(self, key: str, target: Path) -> None:
        """Write an object's content to a file."""

    def write(self, key: str, content: bytes | Path) -> None:
        """Write an object; a path gives the content of that file."""

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects; missing ones are no error."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intervals and waiting times of the tuner's recurring tasks, in seconds."""

    look: float
    """Seconds between two listings of what jobs have written."""
    silence: float
    """Seconds without a message of a job after which the service is asked about it."""
    refusal: float
    """Seconds until a job is requested again for which the service had no room."""
    checkpoint: float
    """Seconds between two copies of a running trial's checkpoint."""
