"""The attempts that have a job or wait for one: turns messages of the threads into events of the experiment."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.backends.jobs.job_thread import JobThread, TrialJob
from hpo.backends.jobs.messages import (
    Accepted,
    Begun,
    Cancelled,
    Described,
    Ended,
    Gone,
    Held,
    Message,
    OfAnAttempt,
    Piece,
    Silent,
    Torn,
    Trouble,
)
from hpo.backends.jobs.outcome import exit_without_record
from hpo.backends.jobs.protocols import JobPhase
from hpo.backends.jobs.report_watch import ReportWatch
from hpo.backends.report_channel import Channel
from hpo.errors import BackendError, HPOError
from hpo.events.types import BackendEvent, Exit, Placed

log = logging.getLogger(__name__)

ENDING = 60.0
"""Seconds that a job has to end by itself, beyond the patience with its script, so that it can write what is left."""


@dataclass(eq=False)
class JobAttempt:
    """An attempt that has a job or waits for one."""

    trial_id: int
    attempt: int
    job: TrialJob
    reports: Path
    """Local file with the attempt's reports."""
    channel: Channel
    """Reader of that file."""
    asked: bool = False
    """Whether the tuner has asked the attempt to stop."""

    def end(self, **how: Any) -> Exit:
        """Return the attempt's exit for the case that its job leaves none."""
        return Exit(self.trial_id, self.attempt, None, lost=True, **how)


class Attempts:
    """The attempts of one backend.

    Args:
        jobs: Thread that calls the job service.
        watch: Thread that reads what the jobs write.
        refused: Called with the sentence with which a job was rejected for which there may be room later.
        saved: Called with a trial and the size in bytes of the checkpoint that its attempt has left.
    """

    def __init__(
        self, jobs: JobThread, watch: ReportWatch, refused: Callable[[str], None], saved: Callable[[int, int], None]
    ) -> None:
        self._jobs, self._watch, self._refused, self._saved = jobs, watch, refused, saved
        self._by_name: dict[str, JobAttempt] = {}
        self._by_trial: dict[int, JobAttempt] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def of(self, trial_id: int) -> JobAttempt | None:
        """Return the attempt of a trial, if it has one."""
        return self._by_trial.get(trial_id)

    @property
    def at_work(self) -> int:
        """The number of attempts whose job may be running."""
        return sum(running.job.at_work for running in self._by_name.values())

    @property
    def queued(self) -> int:
        """The number of attempts whose job waits in the service's queue."""
        return sum(running.job.queued for running in self._by_name.values())

    def begin(self, running: JobAttempt) -> list[BackendEvent]:
        """Request a job for an attempt. Returns the local reports that an earlier session has not taken in."""
        self._by_name[running.job.name] = self._by_trial[running.trial_id] = running
        self._jobs.create(running.job)
        return running.channel.read()

    def stop(self, trial_id: int, patience: float) -> None:
        """Stop a trial's job, once it has had time to end by itself."""
        if (running := self._by_trial.get(trial_id)) is not None:
            running.asked = True
            self._jobs.stop(running.job, patience + ENDING if patience > 0 else 0.0)

    def abandon(self) -> list[BackendEvent]:
        """Request the stop of all jobs without waiting for it, and return the events that end their attempts."""
        events = []
        for running in list(self._by_name.values()):
            self._jobs.stop(running.job)
            events += self._finish(running, running.end())
        return events

    def give_up_waiting(self) -> list[BackendEvent]:
        """End the attempts that have no job and will get none, and withdraw those whose job is queued."""
        events = []
        for running in [running for running in self._by_name.values() if not running.job.at_work]:
            if running.job.queued:
                self._jobs.stop(running.job)
            events += self._finish(running, running.end())
        return events

    def take_in(self, message: Message) -> Sequence[BackendEvent]:
        """Return the events that a message of one of the threads means.

        Raises:
            BackendError: The backend cannot continue.
        """
        if isinstance(message, Trouble):
            if isinstance(message.error, HPOError | OSError):
                raise BackendError(str(message.error)) from message.error
            raise message.error
        running = self._by_name.get(message.name)
        return () if running is None else self._take_in(running, message)  # None: the attempt has finished

    def _take_in(self, running: JobAttempt, message: OfAnAttempt) -> Sequence[BackendEvent]:
        match message:
            case Piece(data=data):
                with running.reports.open("ab") as file:
                    file.write(data)
                return running.channel.read()
            case Begun(node=node):
                return self._begun(running, node)
            case Ended():
                return self._ended(running, message)
            case Accepted():
                return self._accepted(running, message)
            case Held(message=sentence):
                if sentence:
                    self._refused(sentence)
            case Cancelled():
                return self._finish(running, running.end())
            case Silent():
                self._jobs.describe(running.job)
            case Described(status=status):
                if status.phase in (JobPhase.ENDED, JobPhase.INTERRUPTED):
                    self._watch.note_end_of_job(message.name, status)
            case Gone(status=status):
                if status.phase != JobPhase.ENDED:
                    self._jobs.stop(running.job)  # the service would run it again
                return self._finish(running, exit_without_record(running.trial_id, running.attempt, status))
            case Torn():
                self._jobs.stop(running.job)
                error = "some of its reports are missing where jobs leave them, though later ones are there"
                return self._finish(running, running.end(error=error))
        return ()

    def _accepted(self, running: JobAttempt, message: Accepted) -> Sequence[BackendEvent]:
        here, answer = running.reports.stat().st_size, message.answer
        if answer.new and here > 0:  # another backend has begun the attempt: this job cannot continue it
            self._jobs.stop(running.job)
            return self._finish(running, running.end())
        running.job.queued = answer.status.phase == JobPhase.QUEUED
        self._watch.add(message.name, here, queued=running.job.queued)
        if answer.new:
            return () if running.job.queued else self._begun(running, answer.job)
        log.info("trial %d: attempt %d has job %s already", running.trial_id, running.attempt, answer.job)
        if answer.status.phase == JobPhase.ENDED:
            self._watch.note_end_of_job(message.name, answer.status)
        return ()

    @staticmethod
    def _begun(running: JobAttempt, node: str) -> Sequence[BackendEvent]:
        running.job.queued = False
        return [Placed(running.trial_id, running.attempt, node=node)]

    def _ended(self, running: JobAttempt, message: Ended) -> Sequence[BackendEvent]:
        for name, content in message.logs.items():
            running.reports.with_name(name).write_bytes(content)
        if stored := message.outcome.checkpoints:
            self._saved(running.trial_id, stored[-1][1])
            if running.attempt > 0:
                self._jobs.forget(running.trial_id, running.attempt - 1)
        return self._finish(running, message.outcome.exit(running.reports.parent, asked=running.asked))

    def _finish(self, running: JobAttempt, end: Exit) -> list[BackendEvent]:
        self._watch.remove(running.job.name)
        self._jobs.release(running.job)
        del self._by_name[running.job.name], self._by_trial[running.trial_id]
        return [*running.channel.finish(), end]

    def close(self) -> None:
        """Stop the jobs that still run, and end the watch."""
        for running in self._by_name.values():
            self._jobs.stop(running.job)
            running.channel.finish()
        self._watch.close()
