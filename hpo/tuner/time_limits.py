"""Time limits of trials: which trials have exceeded theirs, and when the next one will."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from hpo.backends.base import Backend
from hpo.events.trial_state import TrialState
from hpo.tuner.trial_limits import Limits


@dataclass
class Overdue:
    """The time limits of running attempts.

    Args:
        limits: Limits of trials.
        backend: Backend, which knows the attempts that wait for a device.
        elapsed: Clock of the experiment, in seconds.
    """

    limits: Limits
    backend: Backend
    elapsed: Callable[[], float]
    _held: dict[int, float] = field(default_factory=dict)
    """Elapsed time until which the backend held back each attempt, as of the last look."""

    def begin(self, trial_id: int) -> None:
        """Note that a new attempt of a trial starts."""
        self._held.pop(trial_id, None)

    def found(self, trials: Iterable[TrialState]) -> Iterator[tuple[TrialState, str]]:
        """Yield the trials that have exceeded a time limit, each with the reason."""
        elapsed = self.elapsed()
        for state in self._started(trials, elapsed):
            if reason := self.limits.overdue(state, elapsed, self._held.get(state.trial.id, 0.0)):
                yield state, reason

    def time_left(self, trials: Iterable[TrialState]) -> list[float]:
        """Return the seconds until the time limits of trials."""
        elapsed = self.elapsed()
        return [
            left
            for state in self._started(trials, elapsed)
            for left in self.limits.time_left(state, elapsed, self._held.get(state.trial.id, 0.0))
        ]

    def _started(self, trials: Iterable[TrialState], elapsed: float) -> Iterator[TrialState]:
        """Yield the trials that no longer wait for a device."""
        for state in trials:
            if self.backend.holds(state.trial.id):
                self._held[state.trial.id] = elapsed
            else:
                yield state
