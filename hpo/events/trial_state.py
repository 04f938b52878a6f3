"""What is known of one trial: part of the fold of an experiment's events."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from hpo.events.types import Decision, Event, Status, Trial


@dataclass(slots=True)
class TrialState:
    """One trial so far."""

    trial: Trial
    until: int | None
    status: Status = Status.RUNNING
    attempt: int = 0
    base: int = 0
    """The resource of the checkpoint that it began with: 0 unless that is a copy of another trial's."""
    resource: int = 0
    """The highest reported so far, by its source where it has not reported itself."""
    first: int = 0
    """Of the very first report."""
    loss: float | None = None
    """Of the last report."""
    losses: tuple[float, ...] = ()
    """Of the last report, one per objective."""
    violation: float = 0.0
    """Of the constraints, by the last report."""
    position: int = 0
    """Bytes of the current attempt's reports that have been taken in."""
    then: int | None = None
    """Where to go once the current attempt is over: it was resumed while its processes were still ending."""
    lines: int = 0
    """Reports of the current attempt, where the script does not name its resource."""
    ending: Decision | None = None
    """PAUSE or STOP once decided, until the attempt is over."""
    began: float = 0.0
    """Elapsed time at the start of the current attempt."""
    heard: float = 0.0
    """Elapsed time of the last sign of life."""
    busy: float = 0.0
    """Seconds of all attempts that are over."""
    promoted: bool = False
    """The current attempt goes on by a decision; one that goes on after an interruption does not."""
    worker: int = 0
    """Of the last attempt, numbered from 0: the lowest that was free when it began."""
    node: str | None = None
    """The machine of the current attempt, where there may be several."""
    retried: bool = False
    """Another trial trains its configuration again."""
    stopped_by: str | None = None
    """The id of the command that stopped it; its processes may still be ending."""

    @property
    def has_reported(self) -> bool:
        """Has it trained anything that counts?"""
        return self.resource > self.base

    @classmethod
    def begun(cls, event: Event, trials: Mapping[int, "TrialState"]) -> Self:
        """A trial that starts, from nothing or from a copy of another's checkpoint.

        Args:
            event: that says so.
            trials: those before it.
        """
        source, base = event.body.get("source"), event.body.get("source_resource") or 0
        return cls(
            Trial(event.trial_id, event.body["configuration"], source),
            event.body["until"],
            base=base,
            resource=base,
            first=0 if source is None else trials[source].first,
            began=event.elapsed,
            heard=event.elapsed,
        )
