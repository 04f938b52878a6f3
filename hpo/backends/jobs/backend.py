"""The base of backends whose attempts are jobs of a platform's service, and whose reports pass through an object place.

    start ─→ job thread: submit ─→ the job's slot writes pieces ─→ report watch: list, read ─→ wait

Two threads talk with the platform and put what happens into one queue, which `wait` empties. Jobs outlive the tuner: a
session that follows a killed one adopts its jobs.
"""

import logging
import os
import queue
import socket
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import hpo
from hpo.backends.base import Backend, BackendCapabilities
from hpo.backends.jobs.attempts import Attempts, JobAttempt
from hpo.backends.jobs.job_thread import JobThread, TrialJob
from hpo.backends.jobs.messages import Message
from hpo.backends.jobs.object_names import ObjectNames, attempt_name, description, job_of_attempt, life
from hpo.backends.jobs.protocols import Intervals, JobRequest, JobService, ObjectPlace
from hpo.backends.jobs.quota import Quota
from hpo.backends.jobs.report_watch import ReportWatch
from hpo.backends.report_channel import Channel, resource_at
from hpo.config.schema import ExperimentConfig
from hpo.errors import BackendError
from hpo.events.state import ExperimentState
from hpo.events.types import BackendEvent, Status, Trial
from hpo.store.directory import ExperimentDirectory
from hpo.store.store_repair import put_aside_unknown

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Platform:
    """The job service, the object place and their settings for one session."""

    service: JobService
    place: ObjectPlace
    names: ObjectNames
    order: Mapping[str, Any]
    """Content that every order has in addition: how the job finds the place, and how often it copies checkpoints."""


class JobBackend(Backend):
    """A backend that runs attempts as jobs. A platform's subclass provides `open`, `connect` and its descriptions.

    Args:
        config: The experiment.
        files: The experiment's directory.
        intervals: Seconds between the looks and requests of the threads.
    """

    capabilities = BackendCapabilities(trials_beside_it=False)
    wait_for_threads = 30.0
    """Seconds that the end of a session may take for stopping jobs."""

    def __init__(self, config: ExperimentConfig, files: ExperimentDirectory, intervals: Intervals) -> None:
        self._config, self._files, self._intervals = config, files, intervals
        self._state = ExperimentState(config.objective)
        self._told: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._news: list[BackendEvent] = []  # events for the next `wait`
        self._quota = Quota()
        self._trouble: BackendError | None = None  # why it cannot continue; raised by the `wait` after this one
        self._begun: dict[int, int] = {}  # trial id -> its last attempt that was begun
        self._forgotten: dict[int, int] = {}  # trial id -> the last attempt whose checkpoints are not used
        self._sizes: dict[int, int] = {}  # trial id -> bytes of its checkpoint
        self._last_jobs: dict[int, TrialJob] = {}

    @abstractmethod
    def connect(self, whose: str) -> Platform:
        """Return the platform's service and place; called with the first attempt.

        Args:
            whose: 32 hexadecimal digits that no other experiment has, nor an earlier one in this directory; see `life`.

        Raises:
            HPOError: The platform cannot be used.
        """

    @property
    def opened(self) -> Mapping[str, Any]:
        """The tuner's machine and process."""
        return {"host": socket.gethostname(), "pid": os.getpid(), "hpo": hpo.__version__}

    def go_on(self, state: ExperimentState) -> None:
        """List the stored checkpoints, and set aside folders that the log does not know."""
        put_aside_unknown(self._files, state)
        self._state = state
        if state.trials:
            for one in sorted(self._jobs.stored()):
                self._sizes[int(one.key.split("/")[-2])] = one.size
        waiting = [trial for trial in state.trials.values() if trial.status in (Status.PAUSED, Status.INTERRUPTED)]
        if over := [trial.trial.id for trial in waiting if trial.resource and trial.trial.id not in self._sizes]:
            log.warning("there is no checkpoint of trial(s) %s: they start over", ", ".join(map(str, over)))

    # Made with the first attempt: by then the log says when the experiment began.

    @cached_property
    def _life(self) -> str:
        return life(self._config, self._state.created or 0.0)

    @cached_property
    def _platform(self) -> Platform:
        return self.connect(self._life)

    @cached_property
    def _jobs(self) -> JobThread:
        one = self._platform
        return JobThread(
            service=one.service, place=one.place, names=one.names, intervals=self._intervals, tell=self._told.put
        )

    @cached_property
    def _attempts(self) -> Attempts:
        one = self._platform
        watch = ReportWatch(place=one.place, names=one.names, intervals=self._intervals, tell=self._told.put)
        return Attempts(self._jobs, watch, refused=self._refused, saved=self._sizes.__setitem__)

    # ------------------------------------------------------------------ quota

    @property
    def capacity(self) -> int | None:
        """Return the number of attempts that the platform's quota has allowed so far, including those that wait for a job."""
        return self._quota.capacity if self._trouble is None else 0

    @property
    def waiting_for_capacity(self) -> bool:
        """Whether attempts wait because the platform runs no more jobs now."""
        return self._quota.waiting or self._trouble is not None

    def clock(self) -> float:
        """Return the monotonic seconds; the clock stops while attempts wait and none has a job."""
        return self._quota.clock()

    def holds(self, trial_id: int) -> bool:
        """Whether the trial's attempt waits for a job, or for its job to begin."""
        running = self._attempts.of(trial_id)
        return running is not None and not running.job.at_work and not running.asked

    def _refused(self, message: str) -> None:
        if not self._quota.found_full:
            log.warning("%s; trials wait, and the experiment's time stands still while none has a job", message)
        self._quota.note_refusal(2 * self._intervals.refusal)

    # ------------------------------------------------------------------ attempts

    def start(self, trial: Trial, attempt: int, until: int | None) -> None:
        """Request a job for the attempt; see `Backend.start`."""
        self._begin(trial, attempt, until, 0)

    def adopt(self, trial: Trial, attempt: int, until: int | None, position: int) -> bool:
        """Find the job of an attempt or request one, since the earlier session may have been killed before it did."""
        self._begin(trial, attempt, until, position)
        return True

    def _begin(self, trial: Trial, attempt: int, until: int | None, position: int) -> None:
        reports = self._reports(trial.id, attempt)
        reports.parent.mkdir(parents=True, exist_ok=True)
        reports.touch()
        job = self._job(trial, attempt, until)
        self._begun[trial.id], self._last_jobs[trial.id] = attempt, job
        channel = Channel(reports, trial.id, attempt, position)
        self._tell(self._attempts.begin(JobAttempt(trial.id, attempt, job, reports, channel)))

    def _job(self, trial: Trial, attempt: int, until: int | None) -> TrialJob:
        names, name = self._platform.names, attempt_name(self._life, trial, attempt, until)
        order = {"attempt": attempt, "until": until, "name": name, **self._platform.order}
        earlier = {number: self._reports(trial.id, number) for number in range(attempt)}
        return TrialJob(
            name=name,
            trial_id=trial.id,
            request=JobRequest(
                attempt=name,
                name=lambda again: job_of_attempt(self._config, self._life, trial.id, attempt, again),
                identity=f"{self._life}-{name}",
                order=names.order(name),
                trial_id=trial.id,
            ),
            order=lambda checkpoint: description(trial, checkpoint=checkpoint, **order),
            taken={number: path.stat().st_size for number, path in earlier.items() if path.is_file()},
            after=self._forgotten.get(trial.id, -1),
        )

    def _reports(self, trial_id: int, attempt: int) -> Path:
        return self._files.attempt(trial_id, attempt) / "reports.jsonl"

    def stop(self, trial_id: int, patience: float = 0.0) -> None:
        """Let the service end the job, whose trial has its grace to save. See `Backend.stop`."""
        self._attempts.stop(trial_id, patience)

    def kill(self) -> None:
        """Request the stop of all jobs without waiting for it."""
        self._tell(self._attempts.abandon())

    def _tell(self, events: Sequence[BackendEvent]) -> None:
        if events:
            self._news += events
            self.wake()

    def wake(self) -> None:
        """Wake up `wait` by an empty message; see `Backend.wake`."""
        self._told.put(None)

    def wait(self, timeout: float | None) -> Sequence[BackendEvent]:
        """Sleep until something happens; see `Backend.wait`."""
        if self._trouble is not None:
            raise self._trouble
        events: list[BackendEvent] = []
        try:
            message = self._told.get(timeout=timeout)
            while True:
                if message is not None:
                    events += self._attempts.take_in(message)
                message = self._told.get_nowait()
        except BackendError as error:  # first, so that the log shows no attempt as running that never ran
            self._trouble = error
            self._tell(self._attempts.give_up_waiting())
            self.wake()
        except queue.Empty:
            attempts = self._attempts
            self._quota.update(attempts=len(attempts), with_job=attempts.at_work, queued=attempts.queued)
        self._news, events = [], [*self._news, *events]
        return events

    # ------------------------------------------------------------------ what they leave

    def left_over(self, trial_id: int, attempt: int, position: int) -> Sequence[BackendEvent]:
        """Return the local reports of an attempt that were not taken in."""
        path = self._reports(trial_id, attempt)
        return Channel(path, trial_id, attempt, position).finish() if path.exists() else ()

    def restores(self, trial_id: int, reached: int) -> Callable[[], int | None]:
        """See `Backend.restores`; a job that is lost may have left an older checkpoint than it reported last."""
        return lambda: self._restored(trial_id)

    def _restored(self, trial_id: int) -> int | None:
        if (found := self._last_jobs[trial_id].restored) is None:
            return None
        return resource_at(self._reports(trial_id, found.attempt), found.position, self._config.objective.resource_attr)

    def checkpoint_bytes(self, trial_id: int) -> int:
        """Return the size of the trial's latest archive."""
        return self._sizes.get(trial_id, 0)

    def forget_checkpoint(self, trial_id: int) -> None:
        """Remove the trial's archives."""
        self._sizes.pop(trial_id, None)
        known = self._state.trials.get(trial_id)
        last = self._begun.get(trial_id, known.attempt if known is not None else 0)
        self._forgotten[trial_id] = last
        self._jobs.forget(trial_id, last)

    def close(self) -> None:
        """End the threads and stop the jobs that still run."""
        if "_attempts" in vars(self):
            self._attempts.close()
        if "_jobs" in vars(self):
            self._jobs.close(self.wait_for_threads)
