"""Warnings about a script, given once and then counted: lines that are not reports, and trials that start over."""

import logging
from collections import Counter
from dataclasses import dataclass, field

from hpo.config.default_method import recommended_method
from hpo.events.state import ExperimentState
from hpo.events.trial_state import TrialState
from hpo.events.types import Garbage, Placed
from hpo.schedulers.base import Scheduler
from hpo.tuner.journal import Journal
from hpo.tuner.report_reader import KnownReport
from hpo.tuner.trial_limits import Limits

_SAVE = "let the script save into HPO_CHECKPOINT_DIR before each report, and load at its start"


@dataclass
class Remarks:
    """The warnings about the script of one experiment.

    Args:
        scheduler: Scheduler, which knows an alternative method for scripts without checkpoints.
        state: Current state of the experiment.
        limits: Limits of trials.
        journal: Journal for the warnings.
    """

    scheduler: Scheduler
    state: ExperimentState
    limits: Limits
    journal: Journal
    _quoted: dict[int, str] = field(default_factory=dict)
    """First line of each trial that was not a report."""
    _unread: Counter[int] = field(default_factory=Counter)
    """Number of lines of each trial's current attempt that were not reports."""
    _said_disorder: bool = False
    _said_again: set[bool] = field(default_factory=set)
    """Warnings about trials that start over that were already given: True for promoted trials, False for interrupted ones."""

    def on_garbage(self, line: Garbage) -> None:
        """Warn once per trial of a line that is not a report, and count further ones."""
        self._unread[line.trial_id] += 1
        if line.trial_id not in self._quoted:
            self._quoted[line.trial_id] = line.text
            text = f"trial {line.trial_id} wrote a line that is not a report: {line.text!r}; further ones are counted"
            self.journal.note(text, line.trial_id, line.attempt)

    def on_placed(self, placed: Placed) -> None:
        """Note the GPUs and the machine of an attempt in the log; a terminal does not show it."""
        devices = list(placed.devices)
        places = [] if placed.node is None else [placed.node]
        places += [f"GPU {','.join(devices)}"] if devices else []
        where = {"devices": devices} | ({} if placed.node is None else {"node": placed.node})
        text = f"trial {placed.trial_id} is on {', '.join(places)}"
        self.journal.note(text, placed.trial_id, placed.attempt, level=logging.INFO, **where)

    def unread(self, trial_id: int) -> str | None:
        """Return the first line of a trial that was not a report; None if its current attempt has written none."""
        return self._quoted.get(trial_id) if self._unread.get(trial_id) else None

    def pop_unread(self, trial_id: int) -> int:
        """Return the number of lines of an attempt that were not reports, and start counting for the next one."""
        return self._unread.pop(trial_id, 0)

    def on_known(self, state: TrialState, report: KnownReport, *, lost: bool = False) -> None:
        """Warn once why a report is not counted: its attempt starts over, or reports in an order that cannot be used.

        Args:
            state: State of the trial.
            report: The report, as it was read.
            lost: Whether the trial's checkpoint may have been lost; then the script is not blamed.
        """
        if report.disorder is None:
            if report.started_over and not lost:
                self._on_repeated(state)
        elif not self._said_disorder:
            self._said_disorder = True
            unit = self.state.objective.resource_attr
            text = (
                f"trial {state.trial.id} reported {unit} {report.disorder}: such reports are not counted, even if the "
                f"best value is among them; report each {unit} once, from 1 upwards"
            )
            self.journal.note(text, state.trial.id, state.attempt)

    def _on_repeated(self, state: TrialState) -> None:
        """Warn once of the training that a trial repeats, unless a limit may have removed its checkpoint."""
        promoted = state.promoted
        if not self._is_news(promoted):
            return
        resource_attr, reached = self.state.objective.resource_attr, state.resource
        unit, target = resource_attr or "report", state.until or self.limits.max_resource
        share = f" ({reached} of {target} {unit}s, {reached / target:.0%} of this attempt)" if target else ""
        remedy = (
            _SAVE
            if resource_attr is not None
            else "set benchmark.resource_attr, because a trial whose reports are only counted cannot resume a checkpoint"
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

    def _is_news(self, promoted: bool) -> bool:
        """Whether to warn that trials start over: not done yet, and no limit may have removed checkpoints."""
        if self.limits.max_checkpoint_bytes is not None or self.state.again[promoted] or promoted in self._said_again:
            return False
        self._said_again.add(promoted)
        return True

    def on_jump(self, state: TrialState, resource: int, *, lost: bool = False) -> None:
        """Warn once of a promoted trial that may have started over: it was given no checkpoint, and reports only at its end.

        Args:
            state: State of the trial before this report.
            resource: Resource of the report.
            lost: Whether the trial's checkpoint may have been lost; then the script is not blamed.
        """
        if lost or not self._is_news(True):
            return
        unit = self.state.objective.resource_attr
        method = recommended_method(several=bool(self.state.objective.aims), resource=False)
        text = (
            f"trial {state.trial.id}, paused at {unit} {state.resource}, was promoted without a checkpoint and reported only "
            f"at its end, {unit} {resource}: unless it keeps its state elsewhere, it trained again what it had, and so does "
            f'every trial that is promoted; pass method="{method}", which trains each trial once and in full, or report each '
            f"{unit} and {_SAVE}"
        )
        self.journal.note(text, state.trial.id, state.attempt)

    def nothing_to_copy(self, state: TrialState) -> str:
        """Return why the experiment cannot continue after a trial paused without a checkpoint for others to start from."""
        unit = self.state.objective.resource_attr
        return (
            f"trial {state.trial.id}, paused at {unit} {state.resource}, has written nothing into HPO_CHECKPOINT_DIR, and "
            f"this method lets trials go on from what others have saved; {_SAVE}, or pass {self.scheduler.unpausing}"
        )

    def ignored_copy(self, state: TrialState) -> str:
        """Return why the experiment cannot continue after a trial ignored the copied checkpoint that it was given."""
        unit = self.state.objective.resource_attr
        return (
            f"trial {state.trial.id} was given a copy of the checkpoint that trial {state.trial.source} had at {unit} "
            f"{state.base}, and starts over; {_SAVE} (hpo check-script shows whether that works), or pass "
            f"{self.scheduler.unpausing}"
        )
