"""Supervision of trials: starts attempts, and takes in their reports and exits. Late reports are dropped only here."""

from dataclasses import dataclass, field, replace
from typing import Any

from hpo.backends.base import Backend
from hpo.errors import ExperimentError
from hpo.events.objective import ReportError
from hpo.events.state import ExperimentState
from hpo.events.trial_state import TrialState
from hpo.events.types import (
    BackendEvent,
    Decision,
    Exit,
    Garbage,
    Kind,
    Placed,
    Report,
    Start,
    Status,
    Suggestion,
    Trial,
)
from hpo.schedulers.base import Scheduler
from hpo.schedulers.replay import event_body, tell_end, tell_result, tell_stopped
from hpo.tuner.checkpoint_budget import CheckpointBudget
from hpo.tuner.checkpoint_copies import Copies
from hpo.tuner.journal import Journal
from hpo.tuner.report_reader import Intake, KnownReport, NewReport
from hpo.tuner.script_warnings import Remarks
from hpo.tuner.stopping import Failures
from hpo.tuner.trial_code import TrialCode
from hpo.tuner.trial_endings import Endings
from hpo.tuner.trial_limits import Limits


@dataclass
class Supervision:
    """The trials of one session.

    Args:
        scheduler: Scheduler that is told what happens, and decides on reports.
        backend: Backend that is told what to do after it is stored.
        state: Current state of the experiment.
        limits: Limits of trials.
        journal: Journal for the events.
    """

    scheduler: Scheduler
    backend: Backend
    state: ExperimentState
    limits: Limits
    journal: Journal
    failure: ExperimentError | None = None
    """The reason why the experiment cannot continue; None if it can."""
    waiting: list[TrialState] = field(default_factory=list)
    """Interrupted trials that resume when a worker is free."""
    failed: list[TrialState] = field(default_factory=list)
    """Failed trials that are trained again when a worker is free."""

    def __post_init__(self) -> None:
        self._intake = Intake(self.state.objective, self.state.spending)
        self.endings = Endings(self.state, self.backend, self.limits, self.journal)
        self._remarks = Remarks(self.scheduler, self.state, self.limits, self.journal)
        self.code = TrialCode(self.backend, self.state, self.limits, self.journal)
        self._failures = Failures(self.state, self.limits)
        self._copies = Copies(self.scheduler, self.state, self.backend, self.journal)
        self._checkpoints = CheckpointBudget(self.limits, self.state, self.journal, self.backend, self._copies)

    def carry_out(self, suggestion: Suggestion, new_trials: bool) -> None:
        """Start or resume the trial that the scheduler suggests."""
        body = event_body(suggestion, new_trials=new_trials)
        if isinstance(suggestion, Start):
            trial = Trial(len(self.state.trials), suggestion.configuration, suggestion.source)
            body |= self.code.start(trial.id)
            self.scheduler.on_start(trial)
            self._copies.give(suggestion, trial.id)
            self.journal.emit(Kind.STARTED, trial.id, 0, body=body)
            self._begin(self.state.trials[trial.id])
            if suggestion.replaces is not None:
                self._checkpoints.trial_over(suggestion.replaces)
            return
        state = self.state.trials[suggestion.trial_id]
        still_ending = state.status == Status.RUNNING  # promoted while its last attempt is on its way out
        self._copies.keep(state)
        if not still_ending:
            body |= self.code.start(state.trial.id)
        self.journal.emit(Kind.RESUMED, state.trial.id, state.attempt + 1, body=body)
        if not still_ending:
            self._begin(state)

    def restart(self) -> None:
        """Resume the first interrupted trial that waits, up to the resource that it was trained to."""
        state = self.waiting.pop(0)
        body = {"until": state.until, **self.code.start(state.trial.id)}
        self.journal.emit(Kind.RESTARTED, state.trial.id, state.attempt + 1, body=body)
        self._begin(state)

    def retry(self) -> None:
        """Train the first of the failed trials again as a new trial, so that the files of the failed one stay."""
        failed = self.failed.pop(0).trial
        start = replace(self.scheduler.make_start(failed.configuration), retries=failed.id)
        self.scheduler.accept(start)
        self.carry_out(start, new_trials=True)

    def _begin(self, state: TrialState) -> None:
        self.endings.begin(state.trial.id)
        counted = self.state.objective.resource_attr is None
        if state.attempt > 0 and counted:
            # Its reports are counted: after going on from a checkpoint nobody could tell which of them are new.
            self._checkpoints.forget(state.trial.id)
        began = state.attempt > 0 or state.trial.source is not None
        if began and not counted:
            self._intake.begin(state.trial.id, restored=self.backend.restores(state.trial.id, state.resource))
        else:
            self._intake.begin(state.trial.id)
        self.journal.act(self.backend.start, state.trial, state.attempt, state.until)

    def take_over(self, *, retry: bool) -> None:
        """Adopt or end the attempts of an earlier session; interrupted trials will resume before new ones start.

        Args:
            retry: Whether failed trials are trained again after these.
        """
        self._checkpoints.survey()
        for state in list(self.state.running.values()):
            if self.backend.adopt(state.trial, state.attempt, state.until, state.position):
                self._intake.adopt(state.trial.id, state.resource if state.attempt > 0 else None)
                if state.ending is not None or state.stopped_by is not None:  # decided, and perhaps not acted upon
                    self.journal.act(self.backend.stop, state.trial.id)
                continue
            for event in self.backend.left_over(state.trial.id, state.attempt, state.position):
                self.handle(event)
            self._end(state, Exit(state.trial.id, state.attempt, None, lost=True))
        self.waiting = [state for state in self.state.trials.values() if state.status == Status.INTERRUPTED]
        self.failed = self.state.failed_trials() if retry else []

    def handle(self, event: BackendEvent) -> None:
        """Take in one event of the backend."""
        match event:
            case Report():
                self._on_report(event)
            case Exit():
                self._on_exit(event)
            case Garbage():
                self._remarks.on_garbage(event)
            case Placed():
                self._remarks.on_placed(event)

    def _current(self, event: Report | Exit) -> TrialState | None:
        """Return the trial if an event belongs to its running attempt; None otherwise."""
        state = self.state.trials[event.trial_id]
        return state if state.status == Status.RUNNING and state.attempt == event.attempt else None

    def _on_report(self, report: Report) -> None:
        state = self._current(report)
        if state is None:
            return
        self.code.confirm(state.trial.id, state.attempt)
        if self.endings.is_decided(state):
            self.journal.emit(Kind.DROPPED, state.trial.id, state.attempt, body=_stored(report))
            return
        try:
            found = self._intake.read(state, report.metrics)
        except ReportError as error:
            # The first report of an experiment that cannot be used means a wrong configuration, a later one a failing trial.
            if self.state.reports == 0:
                self.fail(error.sentence)
            else:
                self.endings.condemn(state, Status.FAILED, str(error))
            return
        if isinstance(found, KnownReport):
            self._on_known(state, found)
        else:
            self._decide(state, report, found)

    def _on_known(self, state: TrialState, known: KnownReport) -> None:
        """Take in a report of a resource that is known already: it shows that the trial lives, and how it resumed."""
        state.heard = self.journal.elapsed()
        if state.trial.source is not None and known.started_over:
            self.fail(self._remarks.ignored_copy(state))
        self._remarks.on_known(state, known, lost=self.backend.lost_checkpoint(state.trial.id))

    def _decide(self, state: TrialState, report: Report, new: NewReport) -> None:
        """Ask the scheduler about a report, store the report with the decision, and act on it."""
        if state.promoted and self._intake.jumps(state, new.resource):
            self._remarks.on_jump(state, new.resource, lost=self.backend.lost_checkpoint(state.trial.id))
        self._failures.on_report()
        elapsed = self.journal.elapsed()
        decision = tell_result(self.scheduler, self.state, state.trial, new.resource, new.outcome, elapsed=elapsed)
        body = {**_stored(report), "decision": str(decision)}
        if self.state.objective.resource_attr is None:
            body["line"] = new.line
        if self.journal.callbacks and (extra := self.journal.extra_results(state.trial, report.metrics)):
            body["extra"] = extra
        self.journal.emit(Kind.REPORTED, state.trial.id, state.attempt, new.resource, body, new.outcome, elapsed)
        if decision != Decision.CONTINUE:
            # A script that was told where to end is given time to end by itself and to write what it wants to write.
            patience = self.limits.grace if self.limits.ends_there(state, new.resource) else 0.0
            self.journal.act(self.backend.stop, state.trial.id, patience)

    def _on_exit(self, event: Exit) -> None:
        state = self._current(event)
        if state is not None and self._end(state, event) == Status.INTERRUPTED and not self.endings.closing:
            self.waiting.append(state)
            self.fail(self._failures.on_loss(event.error))

    def _end(self, state: TrialState, event: Exit) -> Status:
        """Store the end of an attempt, and return the new status of its trial."""
        self.code.confirm(state.trial.id, state.attempt)
        status, error = self.endings.status_after(state, event, self._remarks.unread(state.trial.id))
        tell_end(self.scheduler, state.trial, status)
        told = {
            "error": error,
            "where": event.where,
            "out_of_memory": event.out_of_memory and status == Status.FAILED,
            "by": state.stopped_by,
            "unread": self._remarks.pop_unread(state.trial.id),
            "again": self._intake.again(state.trial.id),
        }
        body: dict[str, Any] = {
            "status": str(status),
            "exit_code": event.exit_code,
            "signal": event.signal,
            "usage": dict(event.usage),
            **{key: value for key, value in told.items() if value},
        }
        if state.then is not None and not self.endings.closing:
            body |= self.code.start(state.trial.id)
        self.journal.emit(Kind.ENDED, state.trial.id, state.attempt, state.resource or None, body)
        if status in (Status.FAILED, Status.TIMEOUT):
            self.fail(self._failures.on_failure(status, event, error))
        elif (
            status == Status.PAUSED
            and self.scheduler.capabilities.copies
            and not self.backend.has_checkpoint(state.trial.id)
        ):
            self.fail(self._remarks.nothing_to_copy(state))
        self._checkpoints.attempt_ended(state.trial.id, status)
        if state.status == Status.RUNNING:  # it was resumed while its processes were still ending
            if not self.endings.closing and not self.refuse_code():
                self._begin(state)
            else:
                self._end(state, Exit(state.trial.id, state.attempt, None, lost=True))
        return status

    def stop_on_request(self, trial_id: int) -> None:
        """Stop a trial for good after a command to do so was stored."""
        state = self.state.trials[trial_id]
        tell_stopped(self.scheduler, state.trial)
        if state.status != Status.RUNNING:
            self.waiting = [other for other in self.waiting if other is not state]
            self._checkpoints.trial_over(trial_id)
        elif not self.endings.closing and state.ending is None:
            self.journal.act(self.backend.stop, trial_id)

    def refuse_code(self) -> bool:
        """End the experiment if its code has changed and the configuration forbids that; return whether nothing may start."""
        self.fail(self.code.refusal())
        return self.endings.closing

    def fail(self, reason: str | None) -> None:
        """End the experiment for a reason; None does nothing."""
        if reason is not None and self.failure is None:
            self.failure = ExperimentError(reason)
            self.endings.end_all()

    def forget_paused_checkpoints(self) -> None:
        """Let checkpoints be removed when the experiment is complete and nothing is resumed any more."""
        self._checkpoints.all_over()


def _stored(report: Report) -> dict[str, Any]:
    """Return the fields of a report that are stored with each event about it."""
    return {"metrics": dict(report.metrics), "position": report.position}
