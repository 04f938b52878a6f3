"""What is said once about a script, and counted from then on: lines that are no reports, and trials that start over."""

import logging
from collections import Counter
from dataclasses import dataclass, field

from hpo.events.state import ExperimentState
from hpo.events.trial_state import TrialState
from hpo.events.types import Garbage, Placed
from hpo.schedulers.base import Scheduler
from hpo.tuner.journal import Journal
from hpo.tuner.report_reader import Intake
from hpo.tuner.trial_limits import Limits

_SAVE = "let the script save into HPO_CHECKPOINT_DIR before each report, and load at its start"


@dataclass
class Remarks:
    """Remarks about the script of one experiment.

    Args:
        scheduler: knows what to choose in its place.
        state: what is known.
        limits: of trials.
        journal: where they go.
        intake: knows what was reported again.
    """

    scheduler: Scheduler
    state: ExperimentState
    limits: Limits
    journal: Journal
    intake: Intake
    _quoted: dict[int, str] = field(default_factory=dict)
    """Of each trial that has written what is no report, the first line."""
    _unread: Counter[int] = field(default_factory=Counter)
    """Lines of each current attempt that are no reports."""
    _said_disorder: bool = False
    _said_again: set[bool] = field(default_factory=set)
    """Has it been said that promoted, or interrupted, trials start over?"""

    def on_garbage(self, line: Garbage) -> None:
        """Say it once a trial, for a script that prints where it should report does so in every step; the rest is counted."""
        self._unread[line.trial_id] += 1
        if line.trial_id not in self._quoted:
            self._quoted[line.trial_id] = line.text
            text = f"trial {line.trial_id} wrote a line that is not a report: {line.text!r}; further ones are counted"
            self.journal.note(text, line.trial_id, line.attempt)

    def on_placed(self, placed: Placed) -> None:
        """A reader of the log may want to know the GPUs and the machine; a terminal need not."""
        devices = list(placed.devices)
        places = [] if placed.node is None else [placed.node]
        places += [f"GPU {','.join(devices)}"] if devices else []
        where = {"devices": devices} | ({} if placed.node is None else {"node": placed.node})
        text = f"trial {placed.trial_id} is on {', '.join(places)}"
        self.journal.note(text, placed.trial_id, placed.attempt, level=logging.INFO, **where)

    def unread(self, trial_id: int) -> str | None:
        """The first line of a trial that was no report, if its current attempt has written any."""
        return self._quoted.get(trial_id) if self._unread.get(trial_id) else None

    def counts(self, trial_id: int) -> dict[str, int]:
        """What is stored with the end of an attempt; from here on the next one is counted."""
        return {"unread": self._unread.pop(trial_id, 0), "again": self.intake.again(trial_id)}

    def on_known(self, state: TrialState, *, lost: bool = False) -> None:
        """Say once why a report is not counted: its attempt starts over, or reports in an order that cannot be used.

        Args:
            state: of the trial.
            lost: what the script had saved may have been lost; then nothing is said of the script.
        """
        if self.intake.disorder is None:
            if not lost:
                self._on_repeated(state)
        elif not self._said_disorder:
            self._said_disorder = True
            unit = self.state.objective.resource_attr
            text = (
                f"trial {state.trial.id} reported {unit} {self.intake.disorder}: such reports are not counted, even if the "
                f"best value is among them; report each {unit} once, from 1 upwards"
            )
            self.journal.note(text, state.trial.id, state.attempt)

    def _on_repeated(self, state: TrialState) -> None:
        """Say once what it costs that a trial starts over, unless its checkpoint may have been removed, as was wanted."""
        promoted = state.promoted
        if (
            not self.intake.started_over(state.trial.id)
            or self.limits.max_checkpoint_bytes is not None
            or self.state.again[promoted]
            or promoted in self._said_again
        ):
            return
        self._said_again.add(promoted)
        resource_attr, reached = self.state.objective.resource_attr, state.resource
        unit, target = resource_attr or "report", state.until or self.limits.max_resource
        share = f" ({reached} of {target} {unit}s, {reached / target:.0%} of this attempt)" if target else ""
        remedy = (
            _SAVE
            if resource_attr is not None
            else "name benchmark.resource_attr, for where reports are only counted no checkpoint can be gone on from"
        )
        if promoted:
            text = (
                f"trial {state.trial.id}, paused at {unit} {reached}, was promoted and starts over: it trains again what it "
                f"had{share}, and so does every trial that is promoted; {remedy}, or pass {self.scheduler.unpausing}"
            )
        else:
            text = (
                f"trial {state.trial.id}, interrupted at {unit} {reached}, starts over: it trains again what it had{share}; "
                f"{remedy}"
            )
        self.journal.note(text, state.trial.id, state.attempt)

    def nothing_to_copy(self, state: TrialState) -> str:
        """Why the experiment cannot go on after a pause that has left nothing to go on from."""
        unit = self.state.objective.resource_attr
        return (
            f"trial {state.trial.id}, paused at {unit} {state.resource}, has written nothing into HPO_CHECKPOINT_DIR, and "
            f"this method lets trials go on from what others have saved; {_SAVE}, or pass {self.scheduler.unpausing}"
        )

    def ignored_copy(self, state: TrialState) -> str:
        """Why the experiment cannot go on after a trial that should have gone on from a copy has not."""
        unit = self.state.objective.resource_attr
        return (
            f"trial {state.trial.id} was given a copy of the checkpoint that trial {state.trial.source} had at {unit} "
            f"{state.base}, and starts over; {_SAVE} (hpo check-script shows whether that works), or pass "
            f"{self.scheduler.unpausing}"
        )
