"""The values that travel between the parts: configurations, suggestions, decisions, events. All immutable.

A *report* and an *exit* come from a backend. An *event* is what the tuner made of them, numbered and stored: the
sequence of events is the experiment, everything else can be recomputed from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

Configuration = Mapping[str, Any]
"""One assignment of the tuned hyperparameters."""


class Decision(StrEnum):
    """What a scheduler says to a report."""

    CONTINUE = "CONTINUE"
    PAUSE = "PAUSE"
    """The trial ends now and may be resumed later from its checkpoint."""
    STOP = "STOP"
    """The trial ends now, for good."""


class Status(StrEnum):
    """Where a trial is."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration being trained. Ids count from 0 in the order of starting and are never reused."""

    id: int
    configuration: Configuration
    source: int | None = None
    """The trial from a copy of whose checkpoint it goes on."""


@dataclass(frozen=True, slots=True)
class Start:
    """Train a new configuration; the script ends by itself at resource `until` (None: at its maximum)."""

    configuration: Configuration
    until: int | None = None
    retries: int | None = None
    """The failed trial whose configuration is trained again: asked for by a person, no proposal of a searcher."""
    source: int | None = None
    """The trial from a copy of whose checkpoint it goes on."""
    source_resource: int | None = None
    """What the source had reached when that was saved; the new trial counts on from there."""
    replaces: int | None = None
    """The trial in whose place it goes on, which is over."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with a paused trial up to resource `until` (None: to its maximum)."""

    trial_id: int
    until: int | None = None


Suggestion = Start | Resume


class Report(NamedTuple):
    """One line a trial has written, as it came."""

    trial_id: int
    attempt: int
    metrics: Mapping[str, Any]
    position: int
    """Bytes of the attempt's report channel up to and including this line."""


class Garbage(NamedTuple):
    """A line on a trial's report channel that is not one JSON object."""

    trial_id: int
    attempt: int
    text: str


class Exit(NamedTuple):
    """All processes of an attempt are gone and its slot is free."""

    trial_id: int
    attempt: int
    exit_code: int | None
    """None where a signal ended the process, or where nobody saw its end."""
    signal: int | None = None
    lost: bool = False
    """The process was not ended by itself or by us: its host died."""
    error: str | None = None
    """The last lines of its standard error, for an exit that is not clean."""
    usage: Mapping[str, float] = MappingProxyType({})
    """`cpu_seconds` (user and system, children included) and `peak_memory_mb`."""
    out_of_memory: bool = False
    """It ended because memory, the machine's or a GPU's, was used up."""
    where: str | None = None
    """The line of the script that was at work then, such as `train.py:17`."""
    log: Path | None = None
    """Where all of its standard error is."""
    found: Mapping[str, Any] | None = None
    """What was found in the output of a program that knows nothing of reports."""


class Placed(NamedTuple):
    """An attempt was given GPUs, or runs on one of several machines; comes before its reports."""

    trial_id: int
    attempt: int
    devices: Sequence[str] = ()
    """As CUDA_VISIBLE_DEVICES names them."""
    node: str | None = None
    """The machine, where there is more than one."""


@dataclass(frozen=True, slots=True)
class CommandSignal:
    """Somebody may have left a command."""


BackendEvent = Report | Garbage | Exit | Placed


class Kind(StrEnum):
    """Kinds of stored events."""

    OPENED = "opened"
    """A process took over the experiment: host, pid, versions, `n_workers`, the `budget` that it was given, `code` and in it
    `changed` files; with earlier results, `warm_start`, the SHA-256 of their copy."""
    STARTED = "started"
    """Decision: a new trial; `configuration`, `until`. With `retries`, the failed trial that it trains again, it is none.
    Where it goes on from a copy of another's checkpoint also `source`, `source_resource`, `replaces` and `new_trials`: might
    one have begun from nothing? Where the code is not that of the start before, also `code` and in it `changed` files."""
    RESUMED = "resumed"
    """Decision: a paused trial goes on; `until`, and `code` as in STARTED."""
    RESTARTED = "restarted"
    """An interrupted trial goes on towards the `until` it had, perhaps with other `code`: no decision of a scheduler."""
    REPORTED = "reported"
    """A report and the decision on it; `metrics`, `decision`, `position`, `extra`."""
    DROPPED = "dropped"
    """A report that came after the decision to end its trial; `metrics`, `position`."""
    ENDED = "ended"
    """An attempt is over; `status`, `exit_code`, `signal`, `error`, `usage`, and where there is something to tell `where`,
    `out_of_memory` (true), `unread` (how many of its lines were no reports), `again` (units of resource it repeated) and
    `by` (the id of the command that stopped it). `code` as in STARTED, if the trial's next attempt starts at once."""
    NOTED = "noted"
    """Something a reader of the log should know; `text`, and where it is that a trial was given GPUs or a machine `devices`
    and `node`. With `code`, an attempt runs that and not what its start was stored with, for certain if `sure`."""
    COMMANDED = "commanded"
    """Somebody asked for something; `id`, `command`, `arguments`, `by`, whether it was `accepted`, if not `why`,
    and of a budget's limits the `old` and the `new`. A stopped trial gets no further report; a paused one is over with it."""
    FINISHED = "finished"
    """The experiment is complete; `reason`, the `budget` with which it is, and where commands have changed that the one that
    was `given`."""


class Event(NamedTuple):
    """One entry of the log. `elapsed` is seconds of the experiment, sessions added up; `time` is unix time.

    A tuple, for a log may have millions.
    """

    kind: Kind
    elapsed: float
    time: float
    trial: int | None = None
    attempt: int | None = None
    resource: int | None = None
    body: Mapping[str, Any] = MappingProxyType({})

    @property
    def trial_id(self) -> int:
        """The trial of an event whose kind has one."""
        assert self.trial is not None
        return self.trial

    @property
    def reached(self) -> int:
        """The resource of a report that could be used."""
        assert self.resource is not None
        return self.resource
