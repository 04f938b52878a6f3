"""Ends of attempts that are decided before their processes have ended: by a time limit, by an error, or for all at once."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hpo.backends.base import Backend
from hpo.events.state import ExperimentState
from hpo.events.trial_state import TrialState
from hpo.events.types import Exit, Status
from hpo.tuner.journal import Journal
from hpo.tuner.trial_limits import Limits


@dataclass
class Endings:
    """The decided ends of running attempts, and their time limits.

    Args:
        state: Current state of the experiment.
        backend: Backend that ends attempts, and knows those that wait for a device.
        limits: Limits of trials.
        journal: Journal, whose clock is that of the limits.
    """

    state: ExperimentState
    backend: Backend
    limits: Limits
    journal: Journal
    closing: bool = False
    """Whether all trials are being ended."""
    condemned: dict[int, tuple[Status, str]] = field(default_factory=dict)
    """Trials that are being ended because something is wrong with them, with the status and the reason."""
    _held: dict[int, float] = field(default_factory=dict)
    """Elapsed time until which the backend held back each attempt, as of the last look."""

    def begin(self, trial_id: int) -> None:
        """Note that a new attempt of a trial starts."""
        self._held.pop(trial_id, None)

    def is_decided(self, state: TrialState) -> bool:
        """Whether the end of the trial's attempt is decided."""
        return state.ending is not None or state.stopped_by is not None or state.trial.id in self.condemned

    def condemn(self, state: TrialState, status: Status, reason: str) -> None:
        """End a trial because something is wrong with it, with the status that it will have."""
        if state.trial.id not in self.condemned:
            self.condemned[state.trial.id] = status, reason
            self.journal.act(self.backend.stop, state.trial.id)

    def end_overdue(self) -> None:
        """End trials that have exceeded a time limit."""
        elapsed = self.journal.elapsed()
        for state, held in self._limited(elapsed):
            if reason := self.limits.overdue(state, elapsed, held):
                self.condemn(state, Status.TIMEOUT, reason)

    def time_left(self) -> list[float]:
        """Return the seconds until the time limits of running trials."""
        elapsed = self.journal.elapsed()
        return [left for state, held in self._limited(elapsed) for left in self.limits.time_left(state, elapsed, held)]

    def end_all(self) -> None:
        """End all running trials, once."""
        if not self.closing:
            self.closing = True
            for trial_id in self.state.running:
                self.journal.act(self.backend.stop, trial_id)

    def status_after(self, state: TrialState, event: Exit, unread: str | None) -> tuple[Status, str | None]:
        """Return the status of a trial whose attempt has ended, and the error if there is one.

        Args:
            state: The trial.
            event: The end of its processes.
            unread: First line that was not a report; None if there was none.
        """
        if state.stopped_by is not None:
            return Status.STOPPED, None
        if state.ending is not None:
            return self.limits.decided_status(state), None
        if state.trial.id in self.condemned:
            return self.condemned.pop(state.trial.id)
        return self.limits.status_after(state, event, self.closing, unread)

    def _limited(self, elapsed: float) -> Iterator[tuple[TrialState, float]]:
        """Yield the running trials whose time limits count, and until when a device was not free for each.

        Trials that are being ended are in their grace period, and others may still wait for a device.
        """
        for state in () if self.closing else self.state.running.values():
            if self.is_decided(state):
                continue
            if self.backend.holds(state.trial.id):
                self._held[state.trial.id] = elapsed
            else:
                yield state, self._held.get(state.trial.id, 0.0)
