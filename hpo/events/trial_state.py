"""The state of one trial, as part of the state of an experiment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from hpo.events.outcome import ReportOutcome
from hpo.events.types import Decision, Event, Status, Trial


@dataclass(slots=True)
class TrialState:
    """The state of one trial."""

    trial: Trial
    until: int | None
    status: Status = Status.RUNNING
    attempt: int = 0
    base: int = 0
    """Resource of the checkpoint that the trial began with; 0 unless it is a copy of another trial's."""
    resource: int = 0
    """Highest resource reported so far; before the first report `base`."""
    first: int = 0
    """Resource of the very first report, that of its source for a trial that began with a copy; 0 before it."""
    loss: float | None = None
    """Loss of the last report; None before the first."""
    losses: tuple[float, ...] = ()
    """Loss of the last report in each objective."""
    violation: float = 0.0
    """Violation of the constraints by the last report."""
    position: int = 0
    """Number of bytes of the current attempt's reports that have been taken in."""
    then: int | None = None
    """Resource up to which to resume once the current attempt has ended; None unless resumed while it was ending."""
    lines: int = 0
    """Number of reports of the current attempt, if the script does not name its resource."""
    ending: Decision | None = None
    """PAUSE or STOP from the decision to the end of the attempt; None otherwise."""
    began: float = 0.0
    """Elapsed time at the start of the current attempt."""
    heard: float = 0.0
    """Elapsed time of the last report."""
    busy: float = 0.0
    """Seconds of all attempts that have ended."""
    placed: float | None = None
    """Elapsed time at which the current attempt got its machine; None if it waits, or if the backend names no machines."""
    on_devices: float = 0.0
    """Seconds for which the attempts that have ended held their devices: `busy` without the wait for a machine."""
    promoted: bool = False
    """Whether the current attempt resumes by a decision, and not after an interruption."""
    worker: int = 0
    """Number of the last attempt's worker, from 0: the lowest that was free when the attempt began."""
    node: str | None = None
    """Machine of the current attempt, if there may be several."""
    retried: bool = False
    """Whether another trial trains its configuration again."""
    stopped_by: str | None = None
    """Id of the command that stopped the trial, whose processes may still be ending; None otherwise."""

    @property
    def has_reported(self) -> bool:
        """Whether the trial has trained beyond what it began with."""
        return self.resource > self.base

    def take(self, report: Event, outcome: ReportOutcome) -> None:
        """Take in a stored report of the trial, with its outcome and the decision on it."""
        body = report.body
        self.first = self.first or report.reached
        self.resource, self.loss, self.violation = report.reached, outcome.loss, outcome.violation
        self.losses = outcome.losses
        self.position, self.heard = body["position"], report.elapsed
        self.lines = body.get("line", 0)
        if (decision := body["decision"]) != Decision.CONTINUE:
            self.ending = Decision(decision)

    @classmethod
    def begun(cls, event: Event, trials: Mapping[int, "TrialState"]) -> Self:
        """Return the state of a trial that starts, from scratch or from a copy of another trial's checkpoint.

        Args:
            event: STARTED event of the trial.
            trials: States of the trials before it.
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
