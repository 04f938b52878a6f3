"""What a platform must provide so that trials can run as its jobs: a job service, and a place for objects.

The tuner writes an order to the place and asks the service for a job. The job reads the order, runs the attempt, and writes
reports, checkpoints and the exit to the place, where the tuner finds them. Nothing else connects the two.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class JobPhase(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    """The service has it, and it has not begun."""
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    """The machine was taken away; the service would run the job again."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What the service says of a job."""

    phase: JobPhase
    reason: str = ""
    """Why it ended, in one line."""
    failed: bool = False
    """Whether the training program is at fault, and not the machine or the service."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job that is to exist exactly once."""

    attempt: str
    """Name of the attempt; no other attempt of any experiment has it."""
    name: Callable[[int], str]
    """Makes the job's name, and further names for the case that somebody else's job has it."""
    identity: str
    """Text that tells the job from others of the same name."""
    order: str
    """Prefix of the objects that say what the job is to do."""
    trial_id: int


@dataclass(frozen=True, slots=True)
class Submitted:
    """The service has the job."""

    job: str
    """Its name for the service."""
    new: bool
    """False if an earlier session had asked for it."""
    status: JobStatus


@dataclass(frozen=True, slots=True)
class Refused:
    """The service has no room for the job now; it is asked again later."""

    message: str
    """Why, in a sentence for the user; empty if that is not worth a word."""
    soon: bool = False
    """Whether a few seconds may be enough."""


class JobService(Protocol):
    """Runs jobs. All methods are called from one thread."""

    def submit(self, requests: Sequence[JobRequest]) -> Iterator[Submitted | Refused]:
        """Have jobs, each exactly once, however often it is asked for; one answer for each request, in order.

        Raises:
            HPOError: a job was refused, and will be.
        """

    def describe(self, jobs: Sequence[str]) -> Mapping[str, JobStatus]:
        """Return what has become of jobs; those that the service cannot tell now are left out.

        Raises:
            OSError: The service cannot be asked now.
            HPOError: The experiment cannot go on; the sentence says why.
        """

    def stop(self, job: str) -> None:
        """Have a job end: its program gets SIGTERM and time to save. A job that has ended is left alone.

        Raises:
            HPOError: the service refuses.
        """

    def release(self, job: str) -> None:
        """Forget a job whose attempt is over; it is not asked about again."""

    def close(self) -> None:
        """End what serves this session alone; the jobs that are to end were stopped before."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of a place, as a listing shows it."""

    key: str
    size: int
    modified: float
    """Unix time at which it was written."""


class ObjectPlace(Protocol):
    """Keeps objects that tuner and jobs see. An object appears whole or not at all. May be used by several threads.

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
        """Remove objects; those that are not there are no error."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds between what the tuner does again and again, and how long it waits for what."""

    look: float
    """Between two listings of what jobs have written."""
    silence: float
    """Without a word of a job, after which the service is asked about it."""
    refusal: float
    """Until the service is asked again for a job that it had no room for."""
    checkpoint: float
    """Between two copies of a running trial's checkpoint."""
