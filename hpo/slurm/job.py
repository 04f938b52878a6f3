"""The process inside a Slurm job: it runs `python -m hpo.remote`, and requeues the job after an interruption.

    SIGUSR2  the time limit is near                  -> trials get their grace, the job is requeued
    SIGTERM  pre-emption with a grace time           -> the same, unless Slurm has requeued or cancelled the job already
    SIGINT   `hpo stop`                              -> trials get their grace, the job ends

All three signals reach this process alone (the batch script becomes it by `exec`); trials are stopped by their tuner.
For clusters without accounting, a note in the experiment's directory records how the job ended.
"""

import json
import os
import runpy
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from hpo.config.reading import read_config
from hpo.errors import HPOError, print_error
from hpo.experiment.signals import asked_to_end, leave
from hpo.launchers.job_entry import FAILED
from hpo.launchers.remote import Phase
from hpo.results.experiment import load_experiment
from hpo.slurm.allocation import cluster_of_job
from hpo.slurm.commands import call, queued_as
from hpo.slurm.request import LOGS
from hpo.store.atomic_files import write_atomically
from hpo.store.directory import read_json

NOTE = "slurm.json"
FRUITLESS = 3
"""Number of consecutive sessions that reach the time limit without a report after which the job ends."""

_ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def work(request: str, output_dir: str) -> int:
    """Run the experiment of a resolved configuration file; submitit calls this in the job. Returns 0 when complete.

    Raises:
        SystemExit: The experiment is not complete; the exit code is that of `hpo.remote`.
    """
    directory = Path(output_dir)
    job = os.environ["SLURM_JOB_ID"]
    session = {
        "job": job,
        "node": os.environ.get("SLURMD_NODENAME"),
        "restarts": int(os.environ.get("SLURM_RESTART_COUNT", "0")),
    }
    fruitless = _fruitless(directory, job)
    warned: list[int] = []

    def warn(number: int, _frame: FrameType | None) -> None:
        if not warned:  # a second request would end trials without grace
            warned.append(number)
            signal.raise_signal(signal.SIGTERM)

    for number in _ENDS:
        signal.signal(number, leave)
    signal.signal(signal.SIGUSR2, warn)
    reports = 0
    try:
        if _asked_to_stop(directory, job):  # too early for a signal, or while it was being requeued
            leave(signal.SIGINT, None)
        write_note(directory, **session, phase=Phase.RUNNING, fruitless=fruitless)
        reports = _reports(directory)
        if (came := asked_to_end()) is not None:
            leave(came, None)
        code = _run_with_cluster(request, output_dir)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    for number in (*_ENDS, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # the rest is short, and requeueing sends a SIGTERM of its own
    fruitless = fruitless + 1 if warned and _reports(directory) == reports else 0
    phase, detail = _conclude(directory, job, code, fruitless)
    write_note(directory, **session, phase=phase, detail=detail, exit_code=code, fruitless=fruitless)
    if phase == Phase.WAITING:
        requeued = call("scontrol", "requeue", job)
        if requeued.returncode != 0:
            detail = f"could not be requeued ({requeued.stderr.strip()}); run the command again to go on"
            write_note(
                directory, **session, phase=Phase.INTERRUPTED, detail=detail, exit_code=code, fruitless=fruitless
            )
    if code != 0:
        sys.exit(code)
    return 0


def read_note(directory: Path) -> dict[str, Any]:
    """Return the last note that the job wrote about itself; empty if it has written none."""
    return read_json(directory / NOTE)


def write_note(directory: Path, **facts: Any) -> None:
    """Replace the job's note about itself in the experiment's directory."""
    write_atomically(directory / NOTE, json.dumps(facts, indent=1).encode())


def _run_with_cluster(request: str, output_dir: str) -> int:
    """Run the experiment inside the Ray cluster that it needs, if any."""
    try:
        with cluster_of_job(read_config(Path(request)), Path(output_dir) / LOGS):
            if (came := asked_to_end()) is not None:
                leave(came, None)
            return _run(request, output_dir)
    except HPOError as error:
        print_error(error)
        return FAILED


def _run(request: str, output_dir: str) -> int:
    """Run `python -m hpo.remote REQUEST OUTPUT_DIR` in this process, so that signals go straight to the tuner."""
    sys.argv = ["hpo.remote", request, output_dir]
    runpy.run_module("hpo.remote", run_name="__main__", alter_sys=True)
    return 0


def _conclude(directory: Path, job: str, code: int, fruitless: int) -> tuple[Phase, str]:
    """Return the job's phase after a session ended with an exit code, and the reason."""
    if code == 0:
        return Phase.COMPLETE, ""
    if code < 128:
        return Phase.FAILED, ""
    if code == 128 + signal.SIGINT or _asked_to_stop(directory, job):
        return Phase.STOPPED, "by hpo stop; run the command again to go on"
    if fruitless >= FRUITLESS:
        return Phase.FAILED, (
            f"{fruitless} sessions in a row reached the time limit without a report; give launcher.timeout_min more "
            f"than it takes from one checkpoint to the next, then run the command again"
        )
    with suppress(HPOError):  # if Slurm does not answer, request requeueing anyway
        answer = queued_as(job)
        if answer is None or answer.state != "RUNNING":
            return Phase.INTERRUPTED, "by Slurm"  # which has requeued or cancelled it already
    return Phase.WAITING, "requeued"


def _asked_to_stop(directory: Path, job: str) -> bool:
    note = read_note(directory)
    return note.get("job") == job and note.get("phase") == Phase.STOPPED


def _fruitless(directory: Path, job: str) -> int:
    note = read_note(directory)
    return int(note.get("fruitless", 0)) if note.get("job") == job else 0


def _reports(directory: Path) -> int:
    try:
        return load_experiment(directory).state.reports
    except HPOError:
        return 0
