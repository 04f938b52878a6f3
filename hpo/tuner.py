"""The tuner: one thread that waits for events, decides, commits, and then acts.

    wait ─→ reports and exits ─→ scheduler decides ─→ one commit ─→ backend is told ─→ wait

Nothing is done that is not stored, and everything stored can be fed to a fresh scheduler: a resumed experiment is the
same loop after such a feeding. Late reports of trials whose end is decided are dropped in one place.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpo.backends.base import Backend
from hpo.callbacks import Callback
from hpo.errors import ExperimentError
from hpo.journal import EventLog, Journal
from hpo.limits import Limits
from hpo.objective import ReportError
from hpo.replay import tell_end
from hpo.schedulers.base import Scheduler
from hpo.state import ExperimentState, TrialState
from hpo.stopping import Budget
from hpo.trial import (
    BackendEvent,
    Configuration,
    Decision,
    Exit,
    Garbage,
    Kind,
    Report,
    Start,
    Status,
    Trial,
)

log = logging.getLogger(__name__)


@dataclass
class Tuner:
    """One experiment's loop.

    Args:
        scheduler: decides; brought to where `state` is.
        backend: runs trials.
        events: where events are committed.
        state: empty, or restored from the log.
        budget: when to end.
        limits: of trials and workers.
        callbacks: see everything.
        clock: monotonic seconds; virtual in a simulation.
        wall: unix time, for the log only.
    """

    scheduler: Scheduler
    backend: Backend
    events: EventLog
    state: ExperimentState
    budget: Budget
    limits: Limits
    callbacks: Sequence[Callback] = ()
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    _interrupts: int = 0
    _draining: str | None = None  # why all running trials are being ended
    _failure: ExperimentError | None = None
    _lost_since_report: int = 0
    _timed_out: dict[int, str] = field(default_factory=dict)  # trials being ended because of a time limit
    _rejected: dict[int, str] = field(default_factory=dict)  # … because of a report that cannot be used
    _warned: set[tuple[int, int]] = field(default_factory=set)
    _lines: dict[int, int] = field(default_factory=dict)  # reports of the current attempts, where they are counted

    def __post_init__(self) -> None:
        self._origin = self.clock() - self.state.elapsed
        self.journal = Journal(self.events, self.state, lambda: self.elapsed, self.wall, self.callbacks)
        capacity = self.backend.capacity
        self._slots = self.limits.n_workers if capacity is None else min(self.limits.n_workers, capacity)
        if self._slots < self.limits.n_workers:
            log.warning(
                "n_workers=%d but there are devices for %d: further trials wait", self.limits.n_workers, self._slots
            )

    @property
    def elapsed(self) -> float:
        """Seconds of this experiment, earlier sessions included."""
        return self.clock() - self._origin

    @property
    def interrupted(self) -> bool:
        """Did the session end before the experiment?"""
        return self._interrupts > 0

    def interrupt(self) -> None:
        """End this session: trials get their grace, all is committed. A second call ends trials at once.

        May be called from a signal handler.
        """
        self._interrupts += 1
        self.backend.wake()

    def run(self, opened: Mapping[str, Any] | None = None) -> str | None:
        """Work until the experiment is complete or interrupted. Returns why it is complete, or None.

        Args:
            opened: stored with the event that this session begins.

        Raises:
            ExperimentError: it cannot go on (a wrong metric name, nothing but failures).
            StoreError, BackendError: from the store and the backend.
        """
        self.journal.call("on_open", self.state)
        try:
            self.journal.emit(Kind.OPENED, body=dict(opened or {}))
            self._take_over()
            self._step(())
            while not self._over():
                self._step(self.backend.wait(self._timeout()))
        finally:
            self.journal.call("on_close")
        if self._failure is not None:
            raise self._failure
        return self.state.finished

    # ------------------------------------------------------------------ the loop

    def _step(self, happened: Sequence[BackendEvent]) -> None:
        for event in happened:
            self._handle(event)
        self._check_limits()
        self._fill()
        if not self.state.running and self.state.finished is None and not self._interrupts:
            self._finish()
        self.journal.commit()

    def _over(self) -> bool:
        return not self.state.running and (
            self.state.finished is not None or self._failure is not None or self._interrupts > 0
        )

    def _handle(self, event: BackendEvent) -> None:
        match event:
            case Report():
                self._on_report(event)
            case Exit():
                self._on_exit(event)
            case Garbage():
                self.journal.note(
                    f"trial {event.trial_id} wrote a line that is not a report: {event.text!r}", event.trial_id
                )

    def _check_limits(self) -> None:
        """Budgets, time limits of trials, and a request to end."""
        if self._interrupts:
            self._drain("interrupted")
            if self._interrupts > 1:
                self.backend.kill()
        elif self._draining is None and (reason := self.budget.spent(self.state, self.elapsed)):
            self._drain(reason)
        now = self.elapsed
        for state in self.state.running.values():
            reason = self.limits.overdue(state, now)
            if reason and state.ending is None and state.trial.id not in self._timed_out:
                self._timed_out[state.trial.id] = reason
                self.journal.act(self.backend.stop, state.trial.id)

    def _drain(self, reason: str) -> None:
        """End all running trials, once."""
        if self._draining is None:
            self._draining = reason
            for trial_id in self.state.running:
                self.journal.act(self.backend.stop, trial_id)

    def _fill(self) -> None:
        """Give free workers something to do."""
        while self._draining is None and self._failure is None and len(self.state.running) < self._slots:
            new_trials = self.budget.allows_new_trial(self.state)
            suggestion = self.scheduler.suggest(new_trials=new_trials)
            if suggestion is None:
                return
            if isinstance(suggestion, Start):
                self._start(suggestion.configuration, suggestion.until)
            else:
                body = {"until": suggestion.until, "new_trials": new_trials}
                self._launch(Kind.RESUMED, self.state.trials[suggestion.trial_id], body)

    def _start(self, configuration: Configuration, until: int | None) -> None:
        trial = Trial(len(self.state.trials), configuration)
        self.scheduler.on_start(trial)
        self.journal.emit(Kind.STARTED, trial.id, 0, body={"configuration": dict(configuration), "until": until})
        self.journal.act(self.backend.start, trial, 0, until)

    def _launch(self, kind: Kind, state: TrialState, body: Mapping[str, Any]) -> None:
        ending = state.status == Status.RUNNING  # promoted while its last attempt is still on its way out
        self.journal.emit(kind, state.trial.id, state.attempt + 1, body=body)
        if not ending:
            self._begin(state)

    def _begin(self, state: TrialState) -> None:
        self._lines.pop(state.trial.id, None)
        self.journal.act(self.backend.start, state.trial, state.attempt, state.until)

    def _finish(self) -> None:
        if self._failure is not None:
            return
        if self._draining is not None:
            reason = self._draining
        elif not self.budget.allows_new_trial(self.state):
            reason = f"max_num_trials={self.budget.max_num_trials} trials are done"
        else:
            reason = f"the search space is exhausted: all {len(self.state.trials)} configurations are tried"
        self.journal.emit(Kind.FINISHED, body={"reason": reason})
        if self.limits.delete_checkpoints:
            for state in self.state.trials.values():
                if state.status == Status.PAUSED:
                    self.journal.act(self.backend.forget_checkpoint, state.trial.id)

    # ------------------------------------------------------------------ reports

    def _on_report(self, report: Report) -> None:
        state = self.state.trials[report.trial_id]
        if state.status != Status.RUNNING or state.attempt != report.attempt:
            return
        metrics, position = dict(report.metrics), report.position
        if state.ending is not None or state.trial.id in self._timed_out:
            self.journal.emit(
                Kind.DROPPED, state.trial.id, state.attempt, body={"metrics": metrics, "position": position}
            )
            return
        try:
            loss = self.state.objective.loss(metrics)
            resource = self.state.objective.resource(metrics)
        except ReportError as error:
            self._reject(state, str(error))
            return
        if resource is None:
            resource = self._lines[state.trial.id] = self._lines.get(state.trial.id, 0) + 1
        if resource <= state.resource:
            self._repeated(state, resource, metrics)
            return
        self._lost_since_report = 0
        decision = self.scheduler.on_report(state.trial, resource, loss)
        body = {"metrics": metrics, "decision": decision.value, "position": position}
        if extra := self.journal.extra_results(state.trial, metrics):
            body["extra"] = extra
        self.journal.emit(Kind.REPORTED, state.trial.id, state.attempt, resource, body)
        if decision != Decision.CONTINUE:
            # A script that was told where to end is given time to end by itself and to write what it wants to write.
            patience = self.limits.grace if self.limits.ends_there(state, resource) else 0.0
            self.journal.act(self.backend.stop, state.trial.id, patience)

    def _reject(self, state: TrialState, reason: str) -> None:
        """An unusable report: the first of an experiment means a wrong configuration, a later one a failing trial."""
        if self.state.reports == 0:
            self.journal.note(reason, state.trial.id)
            self._fail(reason)
        elif state.trial.id not in self._rejected:
            self._rejected[state.trial.id] = reason
            self.journal.act(self.backend.stop, state.trial.id)

    def _repeated(self, state: TrialState, resource: int, metrics: Mapping[str, Any]) -> None:
        """A resource that is known: an attempt that starts over reports what an earlier one did."""
        key = (state.trial.id, state.attempt)
        state.heard = self.elapsed
        if key not in self._warned:
            self._warned.add(key)
            log.info(
                "trial %d reports resource %d again (it had reached %d); known ones are dropped: %s",
                *(state.trial.id, resource, state.resource, metrics),
            )

    # ------------------------------------------------------------------ exits

    def _on_exit(self, event: Exit) -> None:
        state = self.state.trials[event.trial_id]
        if state.status != Status.RUNNING or state.attempt != event.attempt:
            return
        status, error = self._status_of(state, event)
        self._end(state, status, event, error)
        if status == Status.INTERRUPTED and self._draining is None and self._failure is None:
            self._again(state)

    def _status_of(self, state: TrialState, event: Exit) -> tuple[Status, str | None]:
        trial_id = state.trial.id
        if state.ending is not None:
            return self.limits.decided_status(state), None
        if trial_id in self._timed_out:
            return Status.TIMEOUT, self._timed_out.pop(trial_id)
        if trial_id in self._rejected:
            return Status.FAILED, self._rejected.pop(trial_id)
        return self.limits.status_after(state, event, self._draining is not None)

    def _end(self, state: TrialState, status: Status, event: Exit, error: str | None) -> None:
        tell_end(self.scheduler, state.trial, status)
        body = {
            "status": status.value,
            "exit_code": event.exit_code,
            "signal": event.signal,
            "usage": dict(event.usage),
        }
        if error:
            body["error"] = error
        self.journal.emit(Kind.ENDED, state.trial.id, state.attempt, state.resource or None, body)
        if status in (Status.FAILED, Status.TIMEOUT):
            log.warning("trial %d: %s: %s", state.trial.id, status, (error or "").splitlines()[-1:] or "no message")
            self._check_failures()
        if self.limits.delete_checkpoints and status not in (Status.PAUSED, Status.INTERRUPTED):
            self.journal.act(self.backend.forget_checkpoint, state.trial.id)
        if state.status == Status.RUNNING:  # resumed meanwhile
            if self._draining is None and self._failure is None:
                self._begin(state)
            else:
                self._end(state, Status.INTERRUPTED, Exit(state.trial.id, state.attempt, None), None)

    def _check_failures(self) -> None:
        if self.state.silent_failures >= self.limits.max_failures:
            self._fail(
                f"max_failures={self.limits.max_failures}: so many trials in a row failed without a report, so that "
                f"something other than their configurations is wrong; the first said: {self.state.first_error}"
            )

    def _fail(self, reason: str) -> None:
        if self._failure is None:
            self._failure = ExperimentError(reason)
            self._drain("failed")

    def _again(self, state: TrialState) -> None:
        """Go on with an interrupted trial towards where it was going."""
        self._lost_since_report += 1
        if self._lost_since_report > 10:
            self._fail(f"trial {state.trial.id} and others were lost {self._lost_since_report} times without a report")
            return
        self._launch(Kind.RESTARTED, state, {"until": state.until})

    # ------------------------------------------------------------------ resuming

    def _take_over(self) -> None:
        """Bring attempts of an earlier session to an end, and go on with the trials they belong to."""
        for state in list(self.state.running.values()):
            for event in self.backend.left_over(state.trial.id, state.attempt, state.position):
                self._handle(event)
            status, error = self._status_of(state, Exit(state.trial.id, state.attempt, None, lost=True))
            self._end(state, status, Exit(state.trial.id, state.attempt, None), error)
        for state in [s for s in self.state.trials.values() if s.status == Status.INTERRUPTED]:
            if len(self.state.running) < self._slots and self.budget.spent(self.state, self.elapsed) is None:
                self._launch(Kind.RESTARTED, state, {"until": state.until})

    def _timeout(self) -> float | None:
        """Seconds until something has to be looked at."""
        now = self.elapsed
        times = self.journal.next_call()
        left = self.budget.time_left(now)
        if left is not None and self._draining is None:
            times.append(left)
        for state in self.state.running.values():
            if state.trial.id not in self._timed_out:
                times += self.limits.time_left(state, now)
        return min(times) if times else None
