"""The conversion of a job's end into the exit of its attempt."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.backends.jobs.protocols import JobStatus
from hpo.events.types import Exit

_STORED = ("trial_id", "attempt", "exit_code", "signal", "lost", "error", "usage", "out_of_memory", "where", "found")


def exit_to_json(end: Exit, *, stopped: bool, sent: int, logs: list[str], checkpoints: list[tuple[str, int]]) -> bytes:
    """Return an exit in the form that a job leaves it.

    Args:
        end: Exit of the attempt.
        stopped: Whether the job was asked to end.
        sent: Bytes of reports that the job has written.
        logs: Names of the logs that it has written.
        checkpoints: Keys and sizes of the checkpoints that are kept, the latest last.
    """
    content = {**end._asdict(), "usage": dict(end.usage), "log": None, "stopped": stopped, "bytes": sent}
    return json.dumps({**content, "logs": logs, "checkpoints": checkpoints}, default=str).encode()


def exit_from_record(record: Mapping[str, Any], folder: Path, *, asked: bool) -> Exit:
    """Return the exit that a job has left.

    Args:
        record: Content of the object, as `exit_to_json` makes it.
        folder: Folder of the attempt here, with the ends of its logs.
        asked: Whether the tuner asked the job to stop; if not, the machine was taken away, and the trial is not at fault.
    """
    log = folder / "stderr.log" if record["error"] else None
    end = Exit(**{name: record[name] for name in _STORED}, log=log)
    return end._replace(lost=True) if record["stopped"] and not asked else end


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
