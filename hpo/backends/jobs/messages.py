"""What the threads of a job backend tell the tuner's thread, matched by type. `name` is that of the attempt."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.backends.jobs.protocols import JobStatus, Submitted


@dataclass(frozen=True, slots=True)
class Accepted:
    """An attempt has its job."""

    name: str
    answer: Submitted


@dataclass(frozen=True, slots=True)
class Held:
    """An attempt waits until the service has room for its job."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """An attempt was stopped before it had a job."""

    name: str


@dataclass(frozen=True, slots=True)
class Described:
    """The service was asked about an attempt's job."""

    name: str
    status: JobStatus


@dataclass(frozen=True, slots=True)
class Begun:
    """The job of an attempt that was queued has begun."""

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
    """An attempt has ended and left its exit."""

    name: str
    record: Mapping[str, Any]
    logs: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Gone:
    """A job has ended without leaving its attempt's exit."""

    name: str
    status: JobStatus


@dataclass(frozen=True, slots=True)
class Torn:
    """Reports of an attempt are missing although later ones are there."""

    name: str


@dataclass(frozen=True, slots=True)
class Silent:
    """An attempt has not written anything for a while."""

    name: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """A thread cannot go on."""

    error: Exception


OfAnAttempt = Accepted | Held | Cancelled | Described | Begun | Piece | Ended | Gone | Torn | Silent
Message = OfAnAttempt | Trouble
