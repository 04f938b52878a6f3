"""Messages from the threads of a job backend to the tuner's thread, matched by type. `name` is the attempt's."""

from collections.abc import Mapping
from dataclasses import dataclass

from hpo.backends.jobs.outcome import AttemptOutcome
from hpo.backends.jobs.protocols import JobStatus, Submitted


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message that an attempt has its job."""

    name: str
    answer: Submitted


@dataclass(frozen=True, slots=True)
class Held:
    """The message that an attempt waits until the service has room for its job."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The message that an attempt was stopped before it had a job."""

    name: str


@dataclass(frozen=True, slots=True)
class Described:
    """The service's answer about an attempt's job."""

    name: str
    status: JobStatus


@dataclass(frozen=True, slots=True)
class Begun:
    """The message that the queued job of an attempt has begun."""

    name: str
    node: str
    """Machine or job that runs it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The next bytes of an attempt's reports."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The message that an attempt has ended and left its exit."""

    name: str
    outcome: AttemptOutcome
    logs: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Gone:
    """The message that a job has ended without leaving its attempt's exit."""

    name: str
    status: JobStatus


@dataclass(frozen=True, slots=True)
class Torn:
    """The message that reports of an attempt are missing although later ones exist."""

    name: str


@dataclass(frozen=True, slots=True)
class Silent:
    """The message that an attempt has not written anything for a while."""

    name: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """The message that a thread cannot continue."""

    error: Exception


OfAnAttempt = Accepted | Held | Cancelled | Described | Begun | Piece | Ended | Gone | Torn | Silent
Message = OfAnAttempt | Trouble
