"""Limits of a trial, and the status that a trial has after an attempt has ended."""

import signal
from dataclasses import dataclass
from pathlib import Path

from hpo.config.choices import ReportChannel
from hpo.events.trial_state import TrialState
from hpo.events.types import Decision, Exit, Status
from hpo.store.experiment_paths import from_here

_HOW_TO_REPORT = (
    "call hpo.report(...), append to $HPO_REPORT_FILE, or set benchmark.report_channel=syne_tune if it prints [tune-metric] "
    "lines, or stdout with benchmark.patterns if it prints others"
)

MOST_LOSSES = 10
"""Number of attempts per worker, lost or terminated in a row without a report, after which an experiment ends."""

ONE_OBJECT = 'write one JSON object per line, such as {"epoch": 1, "loss": 0.5}'


def how_to_report(channel: ReportChannel) -> str:
    """Return advice for a program that ends without an error and without a report, given the channel for its reports."""
    if channel == ReportChannel.file:
        return _HOW_TO_REPORT
    expected = {
        ReportChannel.syne_tune: 'have it print lines such as [tune-metric]: {"epoch": 1, "loss": 0.5}',
        ReportChannel.stdout: "have it print lines that benchmark.patterns match",
    }.get(channel, "have it write to benchmark.report_path")
    return f"benchmark.report_channel={channel.value}: {expected}, or leave that key out and call hpo.report(...)"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the trials of an experiment, and the status of a trial after an attempt under these limits."""

    n_workers: int = 1
    max_resource: int | None = None
    ends_by_itself: bool = False
    """Whether the script is told `until` by `max_resource_attr`, so that it need not be killed there."""
    max_failures: int = 3
    trial_timeout: float | None = None
    trial_silence_timeout: float | None = None
    grace: float = 30.0
    delete_checkpoints: bool = False
    max_checkpoint_bytes: float | None = None
    """Largest number of bytes of all kept checkpoints together; None for no limit."""
    report_channel: ReportChannel = ReportChannel.file
    """Channel on which reports are expected."""
    refuse_code_changes: bool = False
    """Whether nothing may start with code other than that of the trials before."""
    first_stop: str = "min_resource"
    """Key under `method.scheduler` that sets where trials are told to end for the first time."""

    def is_complete(self, state: TrialState) -> bool:
        """Whether the trial has reached the maximum resource."""
        return self.max_resource is not None and state.resource >= self.max_resource

    def ends_there(self, state: TrialState, resource: int) -> bool:
        """Whether the script ends by itself at `resource`, because it was told to."""
        return self.ends_by_itself and state.until is not None and resource >= state.until

    @property
    def timed(self) -> bool:
        """Whether trials have a time limit."""
        return self.trial_timeout is not None or self.trial_silence_timeout is not None

    def overdue(self, state: TrialState, elapsed: float, held: float = 0.0) -> str | None:
        """Return the time limit that a running attempt has exceeded, in words; None if it has not.

        Args:
            state: State of the trial.
            elapsed: Seconds of the experiment.
            held: Elapsed seconds until which the backend held the attempt back.
        """
        for key, since, limit in self._time_limits(state):
            if elapsed >= max(since, held) + limit:
                return f"{key}={limit:g} s is over"
        return None

    def time_left(self, state: TrialState, elapsed: float, held: float = 0.0) -> list[float]:
        """Return the seconds until each time limit of a running attempt, which the backend held back until `held`."""
        return [max(max(since, held) + limit - elapsed, 0.0) for _, since, limit in self._time_limits(state)]

    def _time_limits(self, state: TrialState) -> list[tuple[str, float, float]]:
        """Return the limits in force, each as its key, the elapsed time from which it counts, and its seconds."""
        limits = (
            ("trial_timeout", state.began, self.trial_timeout),
            ("trial_silence_timeout", state.heard, self.trial_silence_timeout),
        )
        return [(key, since, limit) for key, since, limit in limits if limit is not None]

    def decided_status(self, state: TrialState) -> Status:
        """Return the status of a trial whose end was decided."""
        if state.ending == Decision.PAUSE:
            return Status.PAUSED
        return Status.COMPLETED if self.is_complete(state) else Status.STOPPED

    def status_after(
        self, state: TrialState, event: Exit, session_ends: bool, unread: str | None = None
    ) -> tuple[Status, str | None]:
        """Return the status of a trial whose attempt ended without a decision, and the reason if something went wrong.

        Args:
            state: State of the trial.
            event: Exit of the attempt.
            session_ends: Whether all trials are being ended.
            unread: First line that the attempt wrote and that is not a report, if any.
        """
        if self.is_complete(state):
            return Status.COMPLETED, None
        # Nobody here sent that SIGTERM: a cluster or a machine takes its processes back, the configuration is not at fault.
        if event.lost or session_ends or event.signal == signal.SIGTERM:
            return Status.INTERRUPTED, event.error
        if event.exit_code != 0:
            how = f"exit code {event.exit_code}" if event.signal is None else f"signal {event.signal}"
            how += f" at {event.where}" if event.where else ""
            how += ", out of memory" if event.out_of_memory else ""
            return Status.FAILED, f"{how}\n{event.error or ''}".rstrip()
        if state.has_reported:
            return Status.COMPLETED, None
        return Status.FAILED, self._unreported(state, unread, event.error or how_to_report(self.report_channel))

    def nothing_but_failures(self, first_error: str | None, first_log: Path | None) -> str:
        """Return the sentence about an experiment that ends after too many failures in a row."""
        return (
            f"max_failures={self.max_failures}: so many trials in a row failed without a report, so that something other "
            f"than their configurations is wrong; the first said: {brief(first_error)}{see(first_log)}"
        )

    def nothing_but_losses(self, count: int, last: str | None = None) -> str | None:
        """Return the sentence about an experiment that ends after too many losses in a row; None if there are not too many.

        Args:
            count: Number of attempts in a row that were lost or terminated from outside.
            last: Reason for the last loss; None if unknown.
        """
        if count <= MOST_LOSSES * self.n_workers:
            return None
        said = "" if last is None else f"; the last: {brief(last)}"
        return f"trials were lost or terminated from outside {count} times in a row without a report{said}; see hpo.log"

    def _unreported(self, state: TrialState, unread: str | None, remedy: str) -> str:
        """Explain a missing report, with the remedy. A script that was told to end early may report less often."""
        if unread is not None:
            return f"it ended without a report, for what it wrote is none: {unread!r}; {ONE_OBJECT}"
        if self.ends_by_itself and state.until is not None and state.until < (self.max_resource or 0):
            return (
                f"it ended without a report at {state.until}, where it was told to end; if it reports only every 5 epochs, "
                f"say, pass method.scheduler.{self.first_stop}=5, else {remedy}"
            )
        return f"it ended without a report; {remedy}"


def see(log: Path | None) -> str:
    """Return a reference to a log as the end of a sentence; empty without a log."""
    return "" if log is None else f" (see {from_here(log)})"


def brief(error: str | None) -> str:
    """Shorten an error to its first and last line: how the process ended, and the exception of a traceback."""
    lines = [line.strip() for line in (error or "nothing").splitlines() if line.strip()]
    return lines[0] if len(lines) == 1 else f"{lines[0]}: {lines[-1]}"
