"""The attempts that have a job or wait for one, and what becomes of them: messages of the two threads in, events out."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.aws.client import aws_error_as_sentence
from hpo.backends.report_channel import Channel
from hpo.backends.sagemaker.outcome import ENDED, INTERRUPTED, exit_of, exit_without_word
from hpo.backends.sagemaker.service import Cancelled, Created, Described, Held, Service, TrialJob
from hpo.backends.sagemaker.watch import Ended, Gone, Piece, ReportWatch, Silent, Torn, Trouble
from hpo.errors import BackendError, HPOError
from hpo.events.types import BackendEvent, Exit, Placed

log = logging.getLogger(__name__)

ENDING = 60.0
"""Seconds that a job is given to end by itself, beyond the patience with its script: it has to write what is left."""


@dataclass(eq=False)
class Running:
    """One attempt."""

    trial_id: int
    attempt: int
    job: TrialJob
    reports: Path
    """The file here that has what the attempt has reported."""
    channel: Channel
    """Reads it."""
    asked: bool = False
    """It was to stop."""

    def end(self, **how: Any) -> Exit:
        """Its exit without a word."""
        return Exit(self.trial_id, self.attempt, None, lost=True, **how)


class Attempts:
    """Those of one backend.

    Args:
        service: has the jobs.
        watch: has what they write.
        refused: is told why a job was refused that there may be room for later.
        saved: is told a trial and the bytes of the checkpoint that an attempt has left.
    """

    def __init__(
        self, service: Service, watch: ReportWatch, refused: Callable[[str], None], saved: Callable[[int, int], None]
    ) -> None:
        self._service, self._watch, self._refused, self._saved = service, watch, refused, saved
        self._by_name: dict[str, Running] = {}
        self._by_trial: dict[int, Running] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def of(self, trial_id: int) -> Running | None:
        """The attempt of a trial."""
        return self._by_trial.get(trial_id)

    @property
    def with_job(self) -> int:
        """How many have their job."""
        return sum(running.job.created is not None for running in self._by_name.values())

    def begin(self, running: Running) -> list[BackendEvent]:
        """Ask for a job. Returns what an earlier session has not taken in of the reports that are here."""
        self._by_name[running.job.name] = self._by_trial[running.trial_id] = running
        self._service.create(running.job)
        return running.channel.read()

    def stop(self, trial_id: int, patience: float) -> None:
        """Have the job stopped, once it has had time to end by itself."""
        if (running := self._by_trial.get(trial_id)) is not None:
            running.asked = True
            self._service.stop(running.job, patience + ENDING if patience > 0 else 0.0)

    def abandon(self) -> list[BackendEvent]:
        """Have all jobs stopped, and wait for none."""
        events = []
        for running in list(self._by_name.values()):
            self._service.stop(running.job)
            events += self._over(running, running.end())
        return events

    def give_up_waiting(self) -> list[BackendEvent]:
        """Those that have no job will have none."""
        waiting = [running for running in self._by_name.values() if running.job.created is None]
        return [event for running in waiting for event in self._over(running, running.end())]

    def take_in(self, message: Any) -> Sequence[BackendEvent]:
        """What a message of one of the threads means.

        Raises:
            BackendError: it cannot go on.
        """
        if isinstance(message, Trouble):
            raise BackendError(_sentence(message.error)) from message.error
        running = self._by_name.get(message.name)
        if running is None:
            return ()  # of one that is over
        match message:
            case Piece():
                with running.reports.open("ab") as file:
                    file.write(message.data)
                return running.channel.read()
            case Ended():
                return self._ended(running, message)
            case Created():
                return self._created(running, message)
            case Held() if message.message:
                self._refused(message.message)
            case Cancelled():
                return self._over(running, running.end())
            case Silent():
                self._service.describe(running.job)
            case Described():
                if message.found["TrainingJobStatus"] in ENDED or message.found.get("SecondaryStatus") in INTERRUPTED:
                    self._watch.job_ended(message.name, message.found)
            case Gone():
                if message.found["TrainingJobStatus"] not in ENDED:
                    self._service.stop(running.job)  # the service would run it again
                return self._over(running, exit_without_word(running.trial_id, running.attempt, message.found))
            case Torn():
                self._service.stop(running.job)
                return self._over(
                    running, running.end(error="some of its reports are not on S3, though later ones are")
                )
        return ()

    def _created(self, running: Running, message: Created) -> Sequence[BackendEvent]:
        here = running.reports.stat().st_size
        if (
            message.found["new"] and here > 0
        ):  # of an attempt that another backend has begun: this job cannot go on with it
            self._service.stop(running.job)
            return self._over(running, running.end())
        self._watch.add(message.name, here)
        if message.found["new"]:
            return [Placed(running.trial_id, running.attempt, node=message.job)]
        log.info("trial %d: attempt %d has job %s already", running.trial_id, running.attempt, message.job)
        if message.found["TrainingJobStatus"] in ENDED:
            self._watch.job_ended(message.name, message.found)
        return ()

    def _ended(self, running: Running, message: Ended) -> Sequence[BackendEvent]:
        for name, content in message.logs.items():
            running.reports.with_name(name).write_bytes(content)
        if stored := message.record["checkpoints"]:
            self._saved(running.trial_id, stored[-1][1])
            if running.attempt > 0:
                self._service.forget(running.trial_id, running.attempt - 1)
        return self._over(running, exit_of(message.record, running.reports.parent, asked=running.asked))

    def _over(self, running: Running, end: Exit) -> list[BackendEvent]:
        self._watch.remove(running.job.name)
        del self._by_name[running.job.name], self._by_trial[running.trial_id]
        return [*running.channel.finish(), end]

    def close(self) -> None:
        """Have the jobs stopped that still run, and end the watching."""
        for running in self._by_name.values():
            self._service.stop(running.job)
            running.channel.finish()
        self._watch.close()


def _sentence(error: Exception) -> str:
    if isinstance(error, HPOError):
        return str(error)
    if type(error).__module__.startswith(("botocore", "boto3", "s3transfer")):
        return aws_error_as_sentence(error, "backend")
    raise error
