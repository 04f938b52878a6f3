"""The values that travel between the parts: configurations, suggestions, decisions, events. All are immutable.

A *report* and an *exit* come from a backend. An *event* is what the tuner made of them, numbered and stored. The
sequence of events is the experiment; everything else can be computed from it.
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
    """Decision of a scheduler on a report."""

    CONTINUE = "CONTINUE"
    PAUSE = "PAUSE"
    """The trial ends now and may be resumed later from its checkpoint."""
    STOP = "STOP"
    """The trial ends now, for good."""


class Status(StrEnum):
    """Status of a trial."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Trial:
    """A configuration that is trained. Ids count from 0 in the order of starting and are never reused."""

    id: int
    configuration: Configuration
    source: int | None = None
    """Id of the trial from whose copied checkpoint this one starts; None if it starts from scratch."""


@dataclass(frozen=True, slots=True)
class Start:
    """Suggestion to train a new configuration; the script ends by itself at resource `until` (None: at its maximum)."""

    configuration: Configuration
    until: int | None = None
    retries: int | None = None
    """Id of the failed trial whose configuration is trained again because a person asked for it."""
    source: int | None = None
    """Id of the trial from whose copied checkpoint the new one starts."""
    source_resource: int | None = None
    """Resource of the copied checkpoint, from which the new trial continues to count."""
    replaces: int | None = None
    """Id of the trial that the new one takes the place of, and that does not continue."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Suggestion to resume a paused trial up to resource `until` (None: to its maximum)."""

    trial_id: int
    until: int | None = None


Suggestion = Start | Resume


class Report(NamedTuple):
    """A report of a trial as it was written."""

    trial_id: int
    attempt: int
    metrics: Mapping[str, Any]
    position: int
    """Number of bytes of the attempt's report channel up to and including this line."""


class Garbage(NamedTuple):
    """A line on a trial's report channel that is not one JSON object."""

    trial_id: int
    attempt: int
    text: str


class Exit(NamedTuple):
    """The end of an attempt: all its processes are gone and its worker is free."""

    trial_id: int
    attempt: int
    exit_code: int | None
    """Exit code of the process; None if a signal ended it, or if nobody saw its end."""
    signal: int | None = None
    lost: bool = False
    """Whether the attempt was lost: its host died or its folder was deleted."""
    error: str | None = None
    """The last lines of its standard error, or another reason, if the exit is not clean."""
    usage: Mapping[str, float] = MappingProxyType({})
    """Resource usage: `cpu_seconds` (user and system, children included) and `peak_memory_mb`."""
    out_of_memory: bool = False
    """Whether the attempt ended because the memory of the machine or of a GPU was used up."""
    where: str | None = None
    """Line of the script that failed, such as `train.py:17`."""
    log: Path | None = None
    """Log of the attempt to look at: its standard error, or its standard output if that is empty."""
    found: Mapping[str, Any] | None = None
    """Counts of what was found in the output of a program that makes no reports itself."""


class Placed(NamedTuple):
    """The GPUs or the machine that an attempt was given; comes before its reports."""

    trial_id: int
    attempt: int
    devices: Sequence[str] = ()
    """Names of the GPUs, as in CUDA_VISIBLE_DEVICES."""
    node: str | None = None
    """Name of the machine, if there are several."""


@dataclass(frozen=True, slots=True)
class CommandSignal:
    """Sign that somebody may have left a command."""


BackendEvent = Report | Garbage | Exit | Placed


class Kind(StrEnum):
    """Kinds of stored events."""

    OPENED = "opened"
    """A process took over the experiment: host, pid, versions, `n_workers`, the `budget` that it was given, `code` and in it
    `changed` files; with earlier results, `warm_start`, the SHA-256 of their copy."""
    STARTED = "started"
    """Decision: a new trial; `configuration`, `until`. With `retries`, it trains that failed trial again and is no decision.
    If it starts from a copied checkpoint, also `source`, `source_resource`, `replaces`, and `new_trials`: whether a trial
    could have begun from scratch. If the code is not that of the start before, also `code`, with the `changed` files in it.
    """
    RESUMED = "resumed"
    """Decision: a paused trial resumes; `until`, and `code` as in STARTED."""
    RESTARTED = "restarted"
    """An interrupted trial resumes up to the same `until`, perhaps with other `code`; the scheduler does not decide this."""
    REPORTED = "reported"
    """A report and the decision on it; `metrics`, `decision`, `position`, `extra`."""
    DROPPED = "dropped"
    """A report that came after the decision to end its trial; `metrics`, `position`."""
    ENDED = "ended"
    """An attempt has ended; `status`, `exit_code`, `signal`, `error`, `usage`, and if known `where`, `out_of_memory` (true),
    `unread` (number of its lines that were not reports), `again` (units of resource it repeated) and `by` (the id of the
    command that stopped it). `code` as in STARTED, if the trial's next attempt starts at once.
    """
    NOTED = "noted"
    """A note for readers of the log; `text`, and for the GPUs or the machine of a trial `devices` and `node`. With `code`, an
    attempt ran that version and not the one stored with its start, for certain if `sure`.
    """
    COMMANDED = "commanded"
    """A command; `id`, `command`, `arguments`, `by`, whether it was `accepted`, if not `why`, and for a budget the `old` and
    `new` limits. A stopped trial gets no further report; a paused one ends with the command.
    """
    FINISHED = "finished"
    """The experiment has finished; `reason`, the `budget` in force, and if commands changed it the one `given`."""


class Event(NamedTuple):
    """An entry of the log. `elapsed` is seconds of the experiment over all sessions, `time` is unix time.

    It is a tuple because a log may have millions of events.
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
        """The trial of an event of a kind that always has one."""
        assert self.trial is not None
        return self.trial

    @property
    def reached(self) -> int:
        """The resource of a report that was not dropped."""
        assert self.resource is not None
        return self.resource
