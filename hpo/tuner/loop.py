"""The tuner: one thread that waits for events, decides, commits, and then acts.

    wait ─→ reports and exits ─→ scheduler decides ─→ one commit ─→ backend is told ─→ wait

Nothing is done that is not stored, and everything stored can be fed to a fresh scheduler: a resumed experiment is the
same loop after such a feeding.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hpo.backends.base import Backend
from hpo.events.callback import Callback
from hpo.events.state import ExperimentState
from hpo.events.steering import Command, CommandName
from hpo.events.types import BackendEvent, CommandSignal, Kind
from hpo.schedulers.base import Scheduler
from hpo.tuner.command_refusals import Moment
from hpo.tuner.commands import Commands, Inbox
from hpo.tuner.journal import EventLog, Journal
from hpo.tuner.stopping import Budget
from hpo.tuner.trial_limits import Limits
from hpo.tuner.trial_supervisor import Supervision

log = logging.getLogger(__name__)


@dataclass
class Tuner:
    """One experiment's loop.

    Args:
        scheduler: decides; brought to where `state` is.
        backend: runs trials, and has the clock.
        events: where events are committed.
        state: empty, or restored from the log.
        budget: when to end.
        limits: of trials and workers.
        callbacks: see everything.
        retry: first train again the trials that have failed.
        inbox: where people leave commands; None: nobody can.
        on_budget: is told the budget that a command has set.
    """

    scheduler: Scheduler
    backend: Backend
    events: EventLog
    state: ExperimentState
    budget: Budget
    limits: Limits
    callbacks: Sequence[Callback] = ()
    retry: bool = False
    inbox: Inbox | None = None
    on_budget: Callable[[Budget], None] = lambda _: None
    interrupted_by: str | None = None
    """Who has asked for the end of this session."""
    _interrupts: int = 0
    _spent: str | None = None  # the budget that is used up

    def __post_init__(self) -> None:
        clock = self.backend.clock
        origin = clock() - self.state.elapsed
        self._elapsed: Callable[[], float] = lambda: clock() - origin
        self.journal = Journal(
            events=self.events,
            state=self.state,
            elapsed=self._elapsed,
            wall=self.backend.wall,
            callbacks=self.callbacks,
        )
        self.trials = Supervision(
            scheduler=self.scheduler,
            backend=self.backend,
            state=self.state,
            limits=self.limits,
            journal=self.journal,
        )
        self.commands = Commands(self.inbox, self.state, self.journal)
        if self._slots < self.limits.n_workers and not self.backend.waiting_for_capacity:
            log.warning(
                "n_workers=%d but there are devices for %d: further trials wait", self.limits.n_workers, self._slots
            )

    @property
    def _slots(self) -> int:
        """How many trials may run now: a device can be lost to the experiment for a while."""
        capacity = self.backend.capacity
        return self.limits.n_workers if capacity is None else min(self.limits.n_workers, capacity)

    @property
    def _stalled(self) -> bool:
        """Is there no place for a trial, while one may yet come? The clock stands still."""
        return self.backend.capacity == 0 and self.backend.waiting_for_capacity

    @property
    def elapsed(self) -> float:
        """Seconds of this experiment, earlier sessions included."""
        return self._elapsed()

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
            self.scheduler.on_budget(max_cost=self.budget.max_cost)
            self.trials.take_over()
            self.trials.failed = self.state.failed_trials() if self.retry else []
            self._step(())
            self.scheduler.prepare()
            while not self._over():
                self._step(self.backend.wait(self._timeout()))
            if self.trials.failure is not None:
                raise self.trials.failure
        finally:
            self.journal.call("on_close")  # a callback may look at what is being raised
        return self.state.finished

    def _step(self, happened: Sequence[BackendEvent | CommandSignal]) -> None:
        if self._interrupts:  # before the exits are looked at: who signals this process may have signalled the trials
            if self.state.running and not self.trials.closing:
                log.warning(
                    "interrupted: %d trial(s) have up to %g s to save and end; a second signal ends them at once",
                    len(self.state.running),
                    self.limits.grace,
                )
            self.trials.end_all()
        for event in happened:
            if isinstance(event, CommandSignal):
                self.commands.knock()
            else:
                self.trials.handle(event)
        if self.inbox is not None:
            self.commands.take(self._moment, self._obey)
        if self.limits.timed:
            self.trials.end_overdue()
        self._check_session()
        self._fill()
        if not self.state.running and self._nothing_to_come():
            self._finish()
        self.journal.commit()

    def _nothing_to_come(self) -> bool:
        """Is the experiment complete, now that no trial runs?"""
        over = self.trials.closing or not (self._stalled or self.state.steering.held)
        return over and not self._interrupts and self.trials.failure is None

    def _over(self) -> bool:
        """Is there nothing more to do in this session?"""
        if self.state.running:
            return False
        return self.state.finished is not None or self.trials.failure is not None or self._interrupts > 0

    def _check_session(self) -> None:
        """Is it time to end: a budget used up, or a request?"""
        if self._interrupts:
            self.trials.end_all()
            if self._interrupts > 1:
                self.backend.kill()
        elif not self.trials.closing:
            by = self.state.steering.end
            self._spent = self.budget.spent(self.state, self._elapsed()) if by is None else f"ended on request by {by}"
            if self._spent is not None:
                if self.trials.failed:
                    log.warning("%s, so that no failed trial is trained again; give more", self._spent)
                self.trials.end_all()

    def _fill(self) -> None:
        """Give free workers something to do."""
        while not (self.trials.closing or self.state.steering.held) and len(self.state.running) < self._slots:
            if (self.trials.waiting or self.trials.failed) and self.trials.refuse_code():
                return
            if self.trials.waiting:
                self.trials.restart()
                continue
            if self.trials.failed:
                self.trials.retry()
                continue
            new_trials = self.budget.allows_new_trial(self.state)
            suggestion = self.scheduler.propose(new_trials=new_trials)
            if suggestion is not None:
                if self.trials.refuse_code():
                    return
                self.scheduler.accept(suggestion)
            for text in self.scheduler.pop_log_messages():
                self.journal.note(text)
            if suggestion is None:
                return
            self.trials.carry_out(suggestion, new_trials)

    def _moment(self) -> Moment:
        """What a command is judged by."""
        return Moment(
            state=self.state,
            budget=self.budget,
            elapsed=self.elapsed,
            closing=self.trials.closing or self._interrupts > 0,
            condemned=self.trials.condemned,
            opened="" if self.inbox is None else self.inbox.opened,
        )

    def _obey(self, command: Command) -> None:
        """Do what was asked; holds, and the end, are part of the state."""
        match command.verb:
            case CommandName.STOP:
                self.trials.stop_on_request(command.arguments["trial"])
            case CommandName.BUDGET:
                self.budget = replace(self.budget, **command.arguments)
                self.scheduler.on_budget(max_cost=self.budget.max_cost)
                self.journal.act(self.on_budget, self.budget)
            case CommandName.INTERRUPT:
                self.interrupted_by = command.by
                self._interrupts = max(self._interrupts, 1)

    def _finish(self) -> None:
        if self._spent is not None:
            reason = self._spent
        elif (over := self.scheduler.over) is not None:
            reason = over
        elif not self.budget.allows_new_trial(self.state):
            reason = f"max_num_trials={self.budget.max_num_trials} trials are done"
        else:
            reason = f"the search space is exhausted: all {len(self.state.trials)} configurations are tried"
        body: dict[str, Any] = {"reason": reason, "budget": self.budget.limits(self.state.objective)}
        if self.state.steering.changes:
            body["given"] = self.state.steering.given
        self.journal.emit(Kind.FINISHED, body=body)
        self.trials.forget_paused_checkpoints()

    def _timeout(self) -> float | None:
        """Seconds until something has to be looked at."""
        times = self.journal.next_call() if self.callbacks else []
        if self.limits.timed:
            times += self.trials.time_left()
        if self.inbox is not None:
            times += self.commands.next_look()
        left = self.budget.time_left(self._elapsed())
        if left is not None and not self.trials.closing and not self._stalled:
            times.append(left)
        return min(times) if times else None
