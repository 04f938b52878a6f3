"""The outcome of an attempt, as its job leaves it, and the JSON form of an attempt's exit."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.backends.jobs.protocols import JobStatus
from hpo.events.types import Exit


def exit_to_json(end: Exit) -> dict[str, Any]:
    """Return an exit as a JSON object for `exit_from_json`."""
    return {**end._asdict(), "usage": dict(end.usage), "log": None if end.log is None else str(end.log)}


def exit_from_json(content: Mapping[str, Any]) -> Exit:
    """Return the exit that `exit_to_json` was given; further keys are ignored, and missing ones have their defaults."""
    end = Exit(**{name: content[name] for name in Exit._fields if name in content})
    return end if end.log is None else end._replace(log=Path(end.log))


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """The last object that a job writes about its attempt."""

    end: Exit
    stopped: bool
    """Whether the job was asked to end."""
    sent: int
    """Bytes of reports that the job has written."""
    logs: Sequence[str] = ()
    """Names of the logs that it has written."""
    checkpoints: Sequence[tuple[str, int]] = ()
    """Keys and sizes of the checkpoints that are kept, the latest last."""

    def to_json(self) -> bytes:
        """Return the outcome for `from_json`; the keys are those of all versions of hpo."""
        content = {**exit_to_json(self.end._replace(log=None)), "stopped": self.stopped, "bytes": self.sent}
        return json.dumps({**content, "logs": self.logs, "checkpoints": self.checkpoints}, default=str).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "AttemptOutcome":
        """Return the outcome that `to_json` wrote."""
        content = json.loads(text)
        rest = (content[name] for name in ("stopped", "bytes", "logs", "checkpoints"))
        return cls(exit_from_json(content), *rest)

    def exit(self, folder: Path, *, asked: bool) -> Exit:
        """Return the attempt's exit as the tuner sees it.

        Args:
            folder: Folder of the attempt here, with the ends of its logs.
            asked: Whether the tuner asked the job to stop; if not, the machine was taken away, and the trial is not at fault.
        """
        log = folder / "stderr.log" if self.end.error else None
        return self.end._replace(log=log, lost=self.end.lost or (self.stopped and not asked))


def exit_without_record(trial_id: int, attempt: int, status: JobStatus) -> Exit:
    """Return the exit of an attempt whose job has ended without leaving one.

    Args:
        trial_id: Number of the trial.
        attempt: Number of the attempt.
        status: The service's description of the job.
    """
    if status.failed:
        return Exit(trial_id, attempt, 1, error=status.reason)
    return Exit(trial_id, attempt, None, lost=True, error=status.reason or "the job ended without a word")
