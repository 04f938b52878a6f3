"""The job service of the Slurm backend: attempts wait in a shared folder, and it submits as many workers as they need.

Slurm knows only workers, which are all alike. The folder settles which of them runs an attempt, because a claim can be
made only once. A submission that is lost or repeated therefore costs an idle worker and nothing else.
"""

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo.backends.failure_cause import last_lines
from hpo.backends.jobs.folder_place import FolderPlace
from hpo.backends.jobs.protocols import JobPhase, JobRequest, JobStatus, Refused, Submitted
from hpo.errors import BackendError, HPOError
from hpo.slurm.commands import call, sbatch_error_as_sentence
from hpo.slurm.settings import OWN_KEYS, SlurmBackendSettings
from hpo.slurm.submission import clean_environment
from hpo.slurm.worker import CLOSED

log = logging.getLogger(__name__)

LARGEST_ARRAY = 500
"""Largest number of workers in one sbatch call: half of Slurm's default limit for an array."""
FRUITLESS = 2
"""Number of consecutive jobs that end before their worker starts after which the experiment fails."""
PENDING_NOTICE = 60.0
"""Seconds after which hpo logs why jobs have not begun."""
ENDING = 60.0
"""Seconds, beyond the trial's grace period, that a worker has to stop an attempt."""

_CANCELLED = "cancelled"
_PENDING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SUSPENDED")
_ALIVE = (*_PENDING, "RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "RESIZING", "STOPPED")
_NOT_ITS_FAULT = ("CANCELLED", "PREEMPTED", "NODE_FAIL", "DEADLINE", "REVOKED")
_FULL = re.compile(r"SubmitJob|submit limit|MaxJobCount|temporarily unable|Unable to contact|timed out", re.IGNORECASE)
"""Errors of sbatch after which a later submission may succeed."""


class WorkerJobs:
    """The Slurm jobs that run one experiment's attempts.

    Args:
        place: Folder that the tuner and all nodes share.
        script: File of the batch script.
        options: Options of sbatch.
        logs: Folder of the workers' output.
        settings: Keys of `conf/backend/slurm.yaml`.
        grace: Seconds that a trial has to save.
    """

    def __init__(
        self,
        *,
        place: FolderPlace,
        script: Path,
        options: Mapping[str, Any],
        logs: Path,
        settings: SlurmBackendSettings,
        grace: float,
    ) -> None:
        self._place, self._script, self._options, self._logs = place, script, options, logs
        self._settings, self._grace = settings, grace
        self._waiting: set[str] = set()  # attempts without a claim
        self._owners: dict[str, str] = {}  # attempt -> the job that has claimed it
        self._claims: dict[str, int] = {}  # job -> attempts that it has claimed
        self._stopping: dict[str, float] = {}  # attempt -> deadline for its worker to end it
        self._jobs: dict[str, str] = {}  # job -> its state at the last look
        self._since_look: set[str] = set()  # jobs submitted after it
        self._looked = -float("inf")
        self._reasons: set[str] = set()
        self._pending_since: float | None = None
        self._fruitless: list[str] = []
        self._open = False

    # ------------------------------------------------------------------ the service

    def submit(self, requests: Sequence[JobRequest]) -> Iterator[Submitted | Refused]:
        """Queue attempts for workers, and submit all the workers that they need together; see `JobService.submit`."""
        if not self._open:
            self._place.remove([f"waiting/{CLOSED}"])
            self._open = True
            self._look()
        self._see_claims()
        answers = []
        for request in requests:
            name = request.attempt
            owner = self._owner(name)
            if owner is None:
                self._place.write(f"waiting/{name}", b"")
                self._waiting.add(name)
            else:
                self._note_claim(name, owner)
            answers.append(Submitted(name, new=owner is None, status=self._status(name)))
        self._ask_for_workers()
        yield from answers

    def describe(self, jobs: Sequence[str]) -> Mapping[str, JobStatus]:
        """Return the states of jobs, by one squeue call for all or from a recent one; see `JobService.describe`."""
        if time.monotonic() - self._looked >= self._settings.poll_seconds:
            self._look()
        self._see_claims()
        self._end_stuck()
        self._ask_for_workers()
        return {job: self._status(job) for job in jobs}

    def stop(self, job: str) -> None:
        """Withdraw an attempt that waits, or let its worker stop it; see `JobService.stop`."""
        if self._owner(job) is None and self._place.create(f"claims/{job}", _CANCELLED.encode()):
            self._place.remove([f"waiting/{job}"])
            self._note_claim(job, _CANCELLED)
        else:
            self._place.write(f"control/{job}", b"")
            self._stopping.setdefault(job, time.monotonic() + self._grace + ENDING)

    def release(self, job: str) -> None:
        """See `JobService.release`."""
        for names in (self._waiting, self._owners, self._stopping):
            names.discard(job) if isinstance(names, set) else names.pop(job, None)
        self._place.remove([f"{kind}/{job}" for kind in ("waiting", "claims", "control")])

    def close(self) -> None:
        """Cancel jobs that have not begun, and let idle workers end."""
        if self._open:
            self._place.write(f"waiting/{CLOSED}", b"")
            call("scancel", "--state=PENDING", f"--name={self._name}", f"--user={os.getuid()}", group="backend")

    # ------------------------------------------------------------------ claims

    def _owner(self, name: str) -> str | None:
        try:
            return self._place.read(f"claims/{name}").decode()
        except FileNotFoundError:
            return None

    def _note_claim(self, name: str, owner: str) -> None:
        self._waiting.discard(name)
        if name not in self._owners:
            self._owners[name] = owner
            self._claims[owner] = self._claims.get(owner, 0) + 1

    def _see_claims(self) -> None:
        for item in self._place.list("claims/") if self._waiting else ():
            if (name := item.key.partition("/")[2]) in self._waiting and (owner := self._owner(name)) is not None:
                self._note_claim(name, owner)

    def _status(self, name: str) -> JobStatus:
        owner = self._owners.get(name)
        if owner is None:
            return JobStatus(JobPhase.QUEUED)
        if self._is_alive(owner):
            return JobStatus(JobPhase.RUNNING)
        state = self._jobs.get(owner, "")
        said = "withdrawn before a job had it" if owner == _CANCELLED else f"Slurm job {owner} ended"
        return JobStatus(JobPhase.ENDED, f"{said}{f' ({state.lower()})' if state else ''}")

    # ------------------------------------------------------------------ Slurm

    @property
    def _name(self) -> str:
        return str(self._options["job-name"])

    def _is_alive(self, job: str) -> bool:
        return job in self._since_look or self._jobs.get(job) in _ALIVE

    def _look(self) -> None:
        """Ask squeue once for all jobs of the experiment.

        Raises:
            OSError: Slurm does not answer.
            HPOError: Jobs end before their worker starts.
        """
        before = {job for job in {*self._jobs, *self._since_look} if self._is_alive(job)}
        which = ("--noheader", "--array", "--states=all", f"--name={self._name}", f"--user={os.getuid()}")
        try:
            done = call("squeue", *which, "--format=%i|%T|%r", group="backend")
        except HPOError as error:
            raise OSError(str(error)) from error
        if done.returncode != 0:
            raise OSError(f"backend=slurm: squeue failed ({done.stderr.strip()})")
        lines = [line.split("|", 2) for line in done.stdout.splitlines() if line.count("|") >= 2]
        self._jobs = {job: state for job, state, _ in lines}
        self._reasons = {reason for _, state, reason in lines if state == "PENDING"} - {"None", "(null)"}
        self._since_look, self._looked = set(), time.monotonic()
        self._note_pending()
        self._note_fruitless(before)

    def _note_pending(self) -> None:
        pending = [job for job, state in self._jobs.items() if state in _PENDING]
        if not pending:
            self._pending_since = None
            return
        self._pending_since = self._pending_since or time.monotonic()
        if time.monotonic() - self._pending_since > PENDING_NOTICE:
            log.warning(
                "backend=slurm: %d job(s) have not begun (%s); trials wait, and the experiment's time stands still while "
                "none runs. If that will not change, choose another backend.partition or a shorter backend.time_limit",
                len(pending),
                ", ".join(sorted(self._reasons)) or "no reason given",
                extra={"once": f"pending {sorted(self._reasons)}"},
            )

    def _note_fruitless(self, before: set[str]) -> None:
        """Raise HPOError if consecutive jobs end before a worker has started in them."""
        ended = sorted(job for job in before if not self._is_alive(job))
        begun = {item.key.partition("/")[2] for item in self._place.list("workers/")} if ended else set()
        for job in ended:
            if job in begun:
                self._fruitless = []
            elif self._jobs.get(job, "") not in _NOT_ITS_FAULT:
                self._fruitless.append(job)
        if len(self._fruitless) >= FRUITLESS:
            job, output = self._fruitless[-1], self._logs / f"{self._fruitless[-1]}.log"
            said = last_lines(output) if output.is_file() else ""
            raise BackendError(
                f"backend=slurm: job {job} ended before its first word ({self._jobs.get(job, 'ended').lower()}); "
                + (
                    f"it said: {said}"
                    if said
                    else f"let all nodes see {self._logs.parent} and this Python under one path"
                )
            )

    def _ask_for_workers(self) -> None:
        """Submit jobs for the attempts that no existing worker will run."""
        most = self._settings.trials_per_job
        alive = [job for job in {*self._jobs, *self._since_look} if self._is_alive(job)]
        pending = [job for job in alive if job in self._since_look or self._jobs[job] in _PENDING]
        busy = set(self._owners.values())
        spent = {job for job, count in self._claims.items() if most is not None and count >= most}
        free = [job for job in alive if job in pending or self._jobs[job] == "RUNNING"]
        missing = len(self._waiting) - len(set(free) - busy - spent)
        if self._settings.max_pending is not None:
            missing = min(missing, self._settings.max_pending - len(set(pending) - busy - spent))
        if missing > 0:
            self._submit(min(missing, LARGEST_ARRAY))

    def _submit(self, count: int) -> None:
        words = [f"--{name}" if value is True else f"--{name}={value}" for name, value in self._options.items()]
        with clean_environment(self._options):
            done = call("sbatch", "--parsable", *words, f"--array=0-{count - 1}", str(self._script), group="backend")
        if done.returncode != 0:
            if _FULL.search(done.stderr):
                said = " ".join(done.stderr.split())
                log.warning(
                    "backend=slurm: sbatch takes no more jobs now (%s); trials wait", said, extra={"once": "sbatch"}
                )
                return
            raise sbatch_error_as_sentence(done.stderr, self._options, "backend", OWN_KEYS)
        number = done.stdout.strip().partition(";")[0]
        self._since_look |= {f"{number}_{index}" for index in range(count)}
        log.info("asked Slurm for %d worker(s): job %s", count, number)

    def _end_stuck(self) -> None:
        """Cancel jobs whose attempts should have stopped long ago."""
        for name in [name for name, limit in self._stopping.items() if time.monotonic() > limit]:
            del self._stopping[name]
            if (owner := self._owner(name)) is not None and self._is_alive(owner):
                call("scancel", owner, group="backend")
