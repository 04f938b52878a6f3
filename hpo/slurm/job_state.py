"""The state of a Slurm job, from Slurm or, once Slurm has forgotten the job, from the job's note in its directory."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.errors import ERROR_PREFIX, HPOError
from hpo.launchers.remote import JobState, Phase
from hpo.slurm.commands import Answer, accounted_as, queued_as
from hpo.slurm.job import read_note
from hpo.store.untrusted import MOST_JSON, open_folder, read_untrusted

_QUEUED = (
    "PENDING",
    "REQUEUED",
    "REQUEUE_HOLD",
    "REQUEUE_FED",
    "SPECIAL_EXIT",
    "SUSPENDED",
    "STOPPED",
    "RESV_DEL_HOLD",
)
_AT_WORK = ("RUNNING", "CONFIGURING", "COMPLETING", "SIGNALING", "STAGE_OUT", "RESIZING")
_SAID = (Phase.COMPLETE, Phase.FAILED, Phase.STOPPED)
_AGAIN = "run the command again to resume"


def job_state(record: Mapping[str, Any]) -> JobState:
    """Return the state of a job. Never raises: if it cannot be found out, the phase is `Phase.UNKNOWN`."""
    job = record.get("job")
    if job is None:  # complete before it was ever submitted
        return JobState(Phase.COMPLETE)
    directory = Path(record["directory"])
    note = read_note(directory)
    if note.get("job") != job:
        note = {}
    try:
        answer = queued_as(job) or accounted_as(job)
    except HPOError as error:
        if note.get("phase") in _SAID:
            return _said(directory, note)
        return JobState(Phase.UNKNOWN, f"{error}; its last word was {note['phase']}" if note else str(error))
    if answer is not None and answer.name not in ("", record.get("name")):
        answer = None  # after a new installation of Slurm the number belongs to another job
    if answer is not None and answer.state in _QUEUED:
        return JobState(Phase.WAITING, answer.reason if answer.reason != "None" else "")
    if answer is not None and answer.state in _AT_WORK and not _is_over(answer, note):
        return JobState(Phase.RUNNING, f"on {answer.nodes}" if answer.nodes else "")
    return _ended(answer, directory, note)


def _is_over(answer: Answer, note: Mapping[str, Any]) -> bool:
    """Whether the job has written its final note, though its process or Slurm may still be cleaning up."""
    return answer.state in ("RUNNING", "COMPLETING") and note.get("phase") in _SAID and "exit_code" in note


def _ended(answer: Answer | None, directory: Path, note: Mapping[str, Any]) -> JobState:
    if note.get("phase") in _SAID:
        return _said(directory, note)
    if answer is None:
        return JobState(Phase.INTERRUPTED, f"Slurm has forgotten the job; {_AGAIN}")
    if answer.state == "CANCELLED":
        return JobState(Phase.STOPPED, f"by scancel; {_AGAIN}")
    if answer.state == "OUT_OF_MEMORY":
        return JobState(Phase.FAILED, "out of memory; give launcher.mem more")
    if answer.state in ("FAILED", "BOOT_FAIL", "COMPLETED") and note.get("phase") != Phase.INTERRUPTED:
        return JobState(Phase.FAILED, _complaint(directory, note) or f"see {directory / 'slurm'}")
    return JobState(Phase.INTERRUPTED, note.get("detail") or f"{answer.state.lower()}; {_AGAIN}")


def _said(directory: Path, note: Mapping[str, Any]) -> JobState:
    detail = note.get("detail") or (_complaint(directory, note) if note["phase"] == Phase.FAILED else "")
    return JobState(Phase(note["phase"]), detail)


def _complaint(directory: Path, note: Mapping[str, Any]) -> str:
    """Return the error sentence that hpo printed in the job when it failed."""
    name = f"{note.get('job')}_0_log.err"
    try:
        if "/" in name:  # the note may have been written by somebody else
            return ""
        folder = open_folder(directory, "slurm")
        try:
            lines = read_untrusted(name, MOST_JSON, within=folder).decode(errors="replace").splitlines()
        finally:
            os.close(folder)
    except (OSError, ValueError):
        return ""
    said = [line.removeprefix(ERROR_PREFIX) for line in lines if line.startswith(ERROR_PREFIX)]
    return said[-1] if said else ""
