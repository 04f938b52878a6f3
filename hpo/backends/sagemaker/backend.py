"""The SageMaker backend: each attempt of a trial is a training job, whose reports come by way of S3.

    start ─→ service: CreateTrainingJob ─→ the job's slot writes pieces ─→ watch: LIST, GET ─→ wait

Two threads talk with AWS and put what happens into one queue, which `wait` empties. Jobs outlive the tuner: a session that
follows one that was killed adopts them.
"""

import logging
import os
import queue
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import hpo
from hpo.aws.client import client, preflight
from hpo.aws.settings import SageMakerSettings
from hpo.backends.base import Backend
from hpo.backends.report_channel import Channel, resource_at
from hpo.backends.sagemaker.attempts import Attempts, Running
from hpo.backends.sagemaker.keys import KEYS, SILENCE, given_keys, settings_of, silence_of
from hpo.backends.sagemaker.orders import Orders
from hpo.backends.sagemaker.request import TrialJobs
from hpo.backends.sagemaker.room import Room
from hpo.backends.sagemaker.service import Service, TrialJob
from hpo.backends.sagemaker.watch import ReportWatch
from hpo.config.schema import ExperimentConfig
from hpo.errors import BackendError, ConfigError
from hpo.events.state import ExperimentState
from hpo.events.types import BackendEvent, Status, Trial
from hpo.store.directory import ExperimentDirectory
from hpo.store.store_repair import put_aside_unknown

log = logging.getLogger(__name__)


class SageMakerBackend(Backend):
    """Runs attempts as training jobs.

    Args:
        config: the experiment.
        files: its directory.
        settings: of the jobs.
        jobs: makes their requests; what they need is on S3.
    """

    trials_beside_it = False
    start_up_seconds = 180.0  # of a warm machine; a cold one takes 7 to 8 minutes, as Syne Tune's users have measured
    options = (*KEYS, SILENCE)
    extras = ("aws",)

    @classmethod
    def check(cls, config: ExperimentConfig) -> None:
        """Raise ConfigError unless jobs can be made; nothing is asked."""
        if config.gpus_to_use is not None:
            raise ConfigError(
                f"gpus_to_use={config.gpus_to_use}: with backend=sagemaker a trial has all GPUs of its own machine; drop the "
                f"key, and choose the machine by backend.instance_type"
            )
        if not config.benchmark.has_program:
            raise ConfigError("backend=sagemaker: the benchmark has a table and no program; use backend=simulated")
        silence_of(config)
        TrialJobs(config, settings_of(config))

    @classmethod
    def elsewhere(cls, config: ExperimentConfig) -> str | None:
        """A machine for each attempt."""
        return (
            f"{cls.instance_type(config)}, one for each attempt; whether the account may have as many is not asked now"
        )

    @classmethod
    def instance_type(cls, config: ExperimentConfig) -> str | None:
        """As the keys say, or the benchmark."""
        return given_keys(config).get("instance_type") or config.benchmark.instance_type

    @classmethod
    def keys_of(cls, config: ExperimentConfig) -> Mapping[str, Any]:
        """With those of the launcher where they are not given."""
        return {**config.backend, **given_keys(config)}

    @classmethod
    def open(cls, config: ExperimentConfig, files: ExperimentDirectory, **_: Any) -> Self:
        """See `Backend.open`; what all jobs need is put on S3.

        Raises:
            HPOError: bucket or role are not there, or may not be used.
        """
        settings = settings_of(config)
        jobs = TrialJobs(config, settings)
        preflight(settings)
        jobs.upload()
        return cls(config, files, settings, jobs)

    def __init__(
        self, config: ExperimentConfig, files: ExperimentDirectory, settings: SageMakerSettings, jobs: TrialJobs
    ) -> None:
        self._config, self._files, self._settings, self._jobs = config, files, settings, jobs
        self._state = ExperimentState(config.objective)
        self._told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._news: list[BackendEvent] = []  # what the next `wait` has to tell
        self._room = Room()
        self._trouble: BackendError | None = None  # why it cannot go on, which the `wait` after this one tells
        self._begun: dict[int, int] = {}  # trial id -> its last attempt that was begun
        self._forgotten: dict[int, int] = {}  # trial id -> the last attempt whose checkpoints are not used
        self._sizes: dict[int, int] = {}  # trial id -> bytes of its checkpoint
        self._last_jobs: dict[int, TrialJob] = {}

    @property
    def opened(self) -> Mapping[str, Any]:
        """The tuner's machine and process, and what trials run on."""
        facts = {"host": socket.gethostname(), "pid": os.getpid(), "hpo": hpo.__version__}
        return {**facts, "instance_type": self._jobs.instance_type}

    def go_on(self, state: ExperimentState) -> None:
        """See which checkpoints there are; folders aside that the log does not know."""
        put_aside_unknown(self._files, state)
        self._state = state
        if state.trials:
            for one in sorted(self._service.stored()):
                self._sizes[int(one.key.split("/")[-2])] = one.size
        waiting = [trial for trial in state.trials.values() if trial.status in (Status.PAUSED, Status.INTERRUPTED)]
        if over := [trial.trial.id for trial in waiting if trial.resource and trial.trial.id not in self._sizes]:
            log.warning("no checkpoint of trial(s) %s is on S3: they start over", ", ".join(map(str, over)))

    # Made with the first attempt: by then the log says when the experiment began.

    @cached_property
    def _orders(self) -> Orders:
        return Orders(self._config, self._settings, self._jobs, self._state.created)

    @cached_property
    def _service(self) -> Service:
        return Service(
            sagemaker=self._client("sagemaker"),
            s3=self._client("s3"),
            settings=self._settings,
            places=self._orders.places,
            tell=self._told.put,
        )

    @cached_property
    def _attempts(self) -> Attempts:
        watch = ReportWatch(
            s3=self._client("s3"),
            bucket=str(self._settings.bucket),
            places=self._orders.places,
            seconds=self._settings.poll_seconds,
            silence=silence_of(self._config),
            tell=self._told.put,
        )
        return Attempts(self._service, watch, refused=self._refused, saved=self._sizes.__setitem__)

    def _client(self, service: str) -> Any:
        return client(service, self._settings.region, self._settings.profile, group="backend")

    # ------------------------------------------------------------------ room

    @property
    def capacity(self) -> int | None:
        """As many as the account's quota has been seen to allow; attempts that wait for a job of theirs have a place."""
        return self._room.capacity if self._trouble is None else 0

    @property
    def waiting_for_capacity(self) -> bool:
        """Is the quota used up?"""
        return self._room.waiting or self._trouble is not None

    def clock(self) -> float:
        """Stands still while attempts wait and none has a job."""
        return self._room.clock()

    def holds(self, trial_id: int) -> bool:
        """Does it wait for a job?"""
        running = self._attempts.of(trial_id)
        return running is not None and running.job.created is None and not running.asked

    def _refused(self, message: str) -> None:
        if not self._room.found_full:
            log.warning("%s; trials wait, and the experiment's time stands still while none has a job", message)
        self._room.is_full(2 * self._settings.quota_wait)

    # ------------------------------------------------------------------ attempts

    def start(self, trial: Trial, attempt: int, until: int | None) -> None:
        """Ask for a job; see `Backend.start`."""
        self._begin(trial, attempt, until, 0)

    def adopt(self, trial: Trial, attempt: int, until: int | None, position: int) -> bool:
        """Find the job of an attempt, or have one: the earlier session may have been killed before it asked."""
        self._begin(trial, attempt, until, position)
        return True

    def _begin(self, trial: Trial, attempt: int, until: int | None, position: int) -> None:
        reports = self._reports(trial.id, attempt)
        reports.parent.mkdir(parents=True, exist_ok=True)
        reports.touch()
        earlier = {number: self._reports(trial.id, number) for number in range(attempt)}
        taken = {number: path.stat().st_size for number, path in earlier.items() if path.is_file()}
        job = self._orders.job(trial, attempt, until, taken, self._forgotten.get(trial.id, -1))
        self._begun[trial.id], self._last_jobs[trial.id] = attempt, job
        channel = Channel(reports, trial.id, attempt, position)
        self._tell(self._attempts.begin(Running(trial.id, attempt, job, reports, channel)))

    def _reports(self, trial_id: int, attempt: int) -> Path:
        return self._files.attempt(trial_id, attempt) / "reports.jsonl"

    def stop(self, trial_id: int, patience: float = 0.0) -> None:
        """Have the service send SIGTERM, and 120 s later SIGKILL; a trial has its grace to save. See `Backend.stop`."""
        self._attempts.stop(trial_id, patience)

    def kill(self) -> None:
        """Have all jobs stopped, and wait for none."""
        self._tell(self._attempts.abandon())

    def _tell(self, events: Sequence[BackendEvent]) -> None:
        if events:
            self._news += events
            self.wake()

    def wake(self) -> None:
        """Put nothing into the queue that `wait` sleeps at."""
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
        except BackendError as error:  # first, so that the log has none of them as running that never did
            self._trouble = error
            self._tell(self._attempts.give_up_waiting())
            self.wake()
        except queue.Empty:
            self._room.see(len(self._attempts), self._attempts.with_job)
        self._news, events = [], [*self._news, *events]
        return events

    # ------------------------------------------------------------------ what they leave

    def left_over(self, trial_id: int, attempt: int, position: int) -> Sequence[BackendEvent]:
        """What is here of an attempt's reports and was not taken in."""
        path = self._reports(trial_id, attempt)
        return Channel(path, trial_id, attempt, position).finish() if path.exists() else ()

    def restores(self, trial_id: int, reached: int) -> Callable[[], int | None]:
        """See `Backend.restores`; a job that is lost may have left an older one than it reported last."""
        return lambda: self._restored(trial_id)

    def _restored(self, trial_id: int) -> int | None:
        if (found := self._last_jobs[trial_id].restored) is None:
            return None
        return resource_at(self._reports(trial_id, found.attempt), found.position, self._config.objective.resource_attr)

    def checkpoint_bytes(self, trial_id: int) -> int:
        """Of the latest archive."""
        return self._sizes.get(trial_id, 0)

    def forget_checkpoint(self, trial_id: int) -> None:
        """Have the trial's archives removed."""
        self._sizes.pop(trial_id, None)
        known = self._state.trials.get(trial_id)
        last = self._begun.get(trial_id, known.attempt if known is not None else 0)
        self._forgotten[trial_id] = last
        self._service.forget(trial_id, last)

    def close(self) -> None:
        """End the threads; jobs that still run are stopped."""
        if "_attempts" in vars(self):
            self._attempts.close()
        if "_service" in vars(self):
            self._service.close(30.0)
