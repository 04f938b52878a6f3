"""What the end of a job means for its attempt."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.events.types import Exit

ENDED = ("Completed", "Failed", "Stopped")
INTERRUPTED = ("Interrupted", "Restarting")
_OURS = re.compile(r"AlgorithmError|ClientError")
_KILLED = re.compile(r"exit code:? *(137|-9)\b")


def exit_of(record: Mapping[str, Any], folder: Path, *, asked: bool) -> Exit:
    """The exit that a job has left.

    Args:
        record: what it says.
        folder: where the ends of the attempt's logs are here.
        asked: it was to stop; else somebody has taken the machine, and the trial is not at fault.
    """
    names = ("trial_id", "attempt", "exit_code", "signal", "lost", "error", "usage", "out_of_memory", "where", "found")
    end = Exit(**{name: record[name] for name in names}, log=folder / "stderr.log" if record["error"] else None)
    return end._replace(lost=True) if record["stopped"] and not asked else end


def exit_without_word(trial_id: int, attempt: int, found: Mapping[str, Any]) -> Exit:
    """The exit of an attempt whose job has ended without leaving one.

    Args:
        trial_id: of the trial.
        attempt: its number.
        found: what the service says of the job.
    """
    reason = " ".join(str(found.get("FailureReason", "")).split())
    if found["TrainingJobStatus"] == "Failed" and _OURS.match(reason) and not _KILLED.search(reason):
        return Exit(trial_id, attempt, 1, error=reason)
    how = found.get("SecondaryStatus", found["TrainingJobStatus"])
    return Exit(trial_id, attempt, None, lost=True, error=reason or f"the job ended without a word: {how}")
