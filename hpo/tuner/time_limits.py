"""Time limits of trials: which have passed theirs, and when the next one will."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from hpo.backends.base import Backend
from hpo.events.trial_state import TrialState
from hpo.tuner.trial_limits import Limits


@dataclass
class Overdue:
    """The time limits of running attempts.

    Args:
        limits: of trials.
        backend: knows which attempts wait for a device.
        elapsed: the experiment's clock.
    """

    limits: Limits
    backend: Backend
    elapsed: Callable[[], float]
    _held: dict[int, float] = field(default_factory=dict)
    """Until when the backend held back an attempt, at the last look."""

    def begin(self, trial_id: int) -> None:
        """A new attempt starts."""
        self._held.pop(trial_id, None)

    def found(self, trials: Iterable[TrialState]) -> Iterator[tuple[TrialState, str]]:
        """Those that have passed a limit, and which."""
        elapsed = self.elapsed()
        for state in self._started(trials, elapsed):
            if reason := self.limits.overdue(state, elapsed, self._held.get(state.trial.id, 0.0)):
                yield state, reason

    def time_left(self, trials: Iterable[TrialState]) -> list[float]:
        """Seconds to their limits."""
        elapsed = self.elapsed()
        return [
            left
            for state in self._started(trials, elapsed)
            for left in self.limits.time_left(state, elapsed, self._held.get(state.trial.id, 0.0))
        ]

    def _started(self, trials: Iterable[TrialState], elapsed: float) -> Iterator[TrialState]:
        """Those that do not wait for a device any more."""
        for state in trials:
            if self.backend.holds(state.trial.id):
                self._held[state.trial.id] = elapsed
            else:
                yield state
