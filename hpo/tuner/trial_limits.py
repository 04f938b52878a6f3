"""What a trial may do, and what the end of an attempt means for it."""

import signal
from dataclasses import dataclass
from pathlib import Path

from hpo.events.trial_state import TrialState
from hpo.events.types import Decision, Exit, Status
from hpo.store.experiment_paths import from_here

HOW_TO_REPORT = (
    "call hpo.report(...), append to $HPO_REPORT_FILE, or set benchmark.report_channel=syne_tune if it prints [tune-metric] "
    "lines, or stdout with benchmark.patterns if it prints others"
)

MOST_LOSSES = 10
"""So many attempts per worker lost with their host or terminated from outside, and no report between, end the experiment."""

ONE_OBJECT = 'write one JSON object per line, such as {"epoch": 1, "loss": 0.5}'


@dataclass(frozen=True, slots=True)
class Limits:
    """What a trial may do."""

    n_workers: int = 1
    max_resource: int | None = None
    ends_by_itself: bool = False
    """The script is told `until` (there is a `max_resource_attr`), so that no kill is needed there."""
    max_failures: int = 3
    trial_timeout: float | None = None
    trial_silence_timeout: float | None = None
    grace: float = 30.0
    delete_checkpoints: bool = False
    max_checkpoint_bytes: float | None = None
    """Of the kept checkpoints together."""
    refuse_code_changes: bool = False
    """Nothing starts with other code than the trials before."""
    first_stop: str = "min_resource"
    """The key under method.scheduler by which trials are told to end later for the first time."""

    def is_complete(self, state: TrialState) -> bool:
        """Has the trial reached the maximum resource?"""
        return self.max_resource is not None and state.resource >= self.max_resource

    def ends_there(self, state: TrialState, resource: int) -> bool:
        """Does the script end by itself at `resource`, because it was told to?"""
        return self.ends_by_itself and state.until is not None and resource >= state.until

    @property
    def timed(self) -> bool:
        """Is there any time limit?"""
        return self.trial_timeout is not None or self.trial_silence_timeout is not None

    def overdue(self, state: TrialState, elapsed: float, held: float = 0.0) -> str | None:
        """Which time limit the running attempt, which the backend held back until `held`, has passed."""
        for key, since, limit in self._time_limits(state):
            if elapsed >= max(since, held) + limit:
                return f"{key}={limit:g} s is over"
        return None

    def time_left(self, state: TrialState, elapsed: float, held: float = 0.0) -> list[float]:
        """Seconds to each time limit of the running attempt, which the backend held back until `held`."""
        return [max(max(since, held) + limit - elapsed, 0.0) for _, since, limit in self._time_limits(state)]

    def _time_limits(self, state: TrialState) -> list[tuple[str, float, float]]:
        """(key, since when, seconds) of the limits in force."""
        limits = (
            ("trial_timeout", state.began, self.trial_timeout),
            ("trial_silence_timeout", state.heard, self.trial_silence_timeout),
        )
        return [(key, since, limit) for key, since, limit in limits if limit is not None]

    def decided_status(self, state: TrialState) -> Status:
        """What becomes of a trial whose end was decided."""
        if state.ending == Decision.PAUSE:
            return Status.PAUSED
        return Status.COMPLETED if self.is_complete(state) else Status.STOPPED

    def status_after(
        self, state: TrialState, event: Exit, session_ends: bool, unread: str | None = None
    ) -> tuple[Status, str | None]:
        """What becomes of a trial whose attempt ended without a decision, and the reason where it is not a good one.

        Args:
            state: of the trial.
            event: the end.
            session_ends: all trials are being ended.
            unread: a line that the attempt wrote and that is not a report.
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
        return Status.FAILED, self._unreported(state, unread, event.error or HOW_TO_REPORT)

    def nothing_but_failures(self, first_error: str | None, first_log: Path | None) -> str:
        """Why so many failures in a row end an experiment."""
        return (
            f"max_failures={self.max_failures}: so many trials in a row failed without a report, so that something other "
            f"than their configurations is wrong; the first said: {brief(first_error)}{see(first_log)}"
        )

    def nothing_but_losses(self, count: int, last: str | None = None) -> str | None:
        """Why so many attempts in a row that were lost or terminated from outside end an experiment; None: they do not.

        Args:
            count: of them.
            last: why the last of them was lost, if anybody knows.
        """
        if count <= MOST_LOSSES * self.n_workers:
            return None
        said = "" if last is None else f"; the last: {brief(last)}"
        return f"trials were lost or terminated from outside {count} times in a row without a report{said}; see hpo.log"

    def _unreported(self, state: TrialState, unread: str | None, remedy: str) -> str:
        """Why there may be no report, and what to do. A script told to end early may be one that reports more seldom."""
        if unread is not None:
            return f"it ended without a report, for what it wrote is none: {unread!r}; {ONE_OBJECT}"
        if self.ends_by_itself and state.until is not None and state.until < (self.max_resource or 0):
            return (
                f"it ended without a report at {state.until}, where it was told to end; if it reports only every 5 epochs, "
                f"say, pass method.scheduler.{self.first_stop}=5, else {remedy}"
            )
        return f"it ended without a report; {remedy}"


def see(log: Path | None) -> str:
    """Where to read more, as the end of a sentence."""
    return "" if log is None else f" (see {from_here(log)})"


def brief(error: str | None) -> str:
    """The first and the last line of an error: how the process ended, and what a traceback comes to."""
    lines = [line.strip() for line in (error or "nothing").splitlines() if line.strip()]
    return lines[0] if len(lines) == 1 else f"{lines[0]}: {lines[-1]}"
