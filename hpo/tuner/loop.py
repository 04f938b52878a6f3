"""The tuner: one thread that waits for events, decides, commits, and then acts.

    wait ─→ reports and exits ─→ scheduler decides ─→ one commit ─→ backend is told ─→ wait

Nothing is done before it is stored, and everything stored can be fed to a fresh scheduler. To resume an experiment is to feed
its log to a scheduler and to start the same loop.
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
from hpo.tuner.stop_when import Plateau, unused
from hpo.tuner.stopping import Budget
from hpo.tuner.trial_limits import Limits
from hpo.tuner.trial_supervisor import Supervision

log = logging.getLogger(__name__)


@dataclass
class Tuner:
    """The loop of one experiment.

    Args:
        scheduler: Scheduler that decides, in the state that the log describes.
        backend: Backend that runs trials and has the clock.
        events: Log to which events are committed.
        state: State of the experiment, empty or restored from the log.
        budget: Budget that ends the experiment.
        limits: Limits of trials and workers.
        callbacks: Callbacks that see every event.
        retry: Whether failed trials are trained again first.
        inbox: Place where people leave commands; None if nobody can give any.
        on_budget: Function called with a budget that a command has set.
        plateau: Rule `stop_when`, which has taken in the log; None if there is none.
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
    plateau: Plateau | None = None
    interrupted_by: str | None = None
    """The person who asked by a command for the end of this session; None if nobody did."""
    _interrupts: int = 0
    _spent: str | None = None  # the budget that is used up
    _ended_early: bool = False  # whether that is by `stop_when`

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
            plateau=self.plateau,
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
        """Return the number of trials that may run now, which is lower while a device is unavailable."""
        capacity = self.backend.capacity
        return self.limits.n_workers if capacity is None else min(self.limits.n_workers, capacity)

    @property
    def _stalled(self) -> bool:
        """Whether no worker is available but one may become available; the clock pauses meanwhile."""
        return self.backend.capacity == 0 and self.backend.waiting_for_capacity

    @property
    def elapsed(self) -> float:
        """Return the seconds of this experiment, earlier sessions included."""
        return self._elapsed()

    def interrupt(self) -> None:
        """End this session: trials get their grace period, and all events are committed. A second call ends trials at once.

        May be called from a signal handler.
        """
        self._interrupts += 1
        self.backend.wake()

    def run(self, opened: Mapping[str, Any] | None = None) -> str | None:
        """Work until the experiment is complete or interrupted; return why it is complete, or None if it was interrupted.

        Args:
            opened: Facts stored with the first event of this session.

        Raises:
            ExperimentError: The experiment cannot continue, such as after nothing but failures.
            StoreError, BackendError: The store or the backend cannot continue.
        """
        self.journal.call("on_open", self.state)
        try:
            self.journal.emit(Kind.OPENED, body=dict(opened or {}))
            self.scheduler.on_budget(max_cost=self.budget.max_cost)
            self.trials.take_over(retry=self.retry)
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
            if self.state.running and not self.trials.endings.closing:
                log.warning(
                    "interrupted: %d trial(s) have up to %g s to save and end; a second signal ends them at once",
                    len(self.state.running),
                    self.limits.grace,
                )
            self.trials.endings.end_all()
        for event in happened:
            if isinstance(event, CommandSignal):
                self.commands.knock()
            else:
                self.trials.handle(event)
        if self.inbox is not None:
            self.commands.take(self._moment, self._obey)
        if self.limits.timed:
            self.trials.endings.end_overdue()
        self._check_session()
        self._fill()
        if not self.state.running and self._nothing_to_come():
            self._finish()
        self.journal.commit()

    def _nothing_to_come(self) -> bool:
        """Whether the experiment is complete, now that no trial runs."""
        over = self.trials.endings.closing or not (self._stalled or self.state.steering.held)
        return over and not self._interrupts and self.trials.failure is None

    def _over(self) -> bool:
        """Whether nothing is left to do in this session."""
        if self.state.running:
            return False
        return self.state.finished is not None or self.trials.failure is not None or self._interrupts > 0

    def _check_session(self) -> None:
        """End all trials if a budget is used up or the end was asked for."""
        if self._interrupts:
            self.trials.endings.end_all()
            if self._interrupts > 1:
                self.backend.kill()
        elif not self.trials.endings.closing:
            by = self.state.steering.end
            self._spent = self.budget.spent(self.state, self._elapsed()) if by is None else f"ended on request by {by}"
            if self._spent is None and self.plateau is not None and self.plateau.reached is not None:
                self._ended_early = True
                self._spent = self.plateau.reached + unused(self.budget, self.state, self._elapsed())
            if self._spent is not None:
                if self.trials.failed:
                    log.warning("%s, so that no failed trial is trained again; give more", self._spent)
                self.trials.endings.end_all()

    def _fill(self) -> None:
        """Give free workers something to do."""
        while not (self.trials.endings.closing or self.state.steering.held) and len(self.state.running) < self._slots:
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
        """Return the facts by which a command is judged."""
        return Moment(
            state=self.state,
            budget=self.budget,
            elapsed=self.elapsed,
            closing=self.trials.endings.closing or self._interrupts > 0,
            condemned=self.trials.endings.condemned,
            opened="" if self.inbox is None else self.inbox.opened,
        )

    def _obey(self, command: Command) -> None:
        """Carry out an accepted command; a hold and the end of the experiment are kept in the state."""
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
        body: dict[str, Any] = {"reason": reason, "budget": self.budget.recorded(self.state.objective)}
        if self.state.steering.changes:
            body["given"] = self.state.steering.given
        if self._ended_early and self.plateau is not None:
            body["stop_when"] = self.plateau.written
        self.journal.emit(Kind.FINISHED, body=body)
        self.trials.forget_paused_checkpoints()

    def _timeout(self) -> float | None:
        """Return the seconds until something has to be looked at; None if nothing has a deadline."""
        times = self.journal.next_call() if self.callbacks else []
        if self.limits.timed:
            times += self.trials.endings.time_left()
        if self.inbox is not None:
            times += self.commands.next_look()
        left = self.budget.time_left(self.state, self._elapsed())
        if left is not None and not self.trials.endings.closing and not self._stalled:
            times.append(left)
        return min(times) if times else None
