"""The state of an experiment, computed from its events: the same live, after a resume and for a reader."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from hpo.events.code import CodeHistory
from hpo.events.device_time import DeviceTime
from hpo.events.fronts import Front, FrontPoint, extend_front
from hpo.events.held_out import HeldOut
from hpo.events.incumbent import Incumbent
from hpo.events.objective import Objective
from hpo.events.outcome import ReportOutcome
from hpo.events.steering import Steering, stopped_trial
from hpo.events.trial_costs import Spending
from hpo.events.trial_state import TrialState
from hpo.events.types import Event, Kind, Status


@dataclass(slots=True)
class ExperimentState:
    """The trials of an experiment, the incumbent, and the counts that budgets and reports need."""

    objective: Objective
    trials: dict[int, TrialState] = field(default_factory=dict)
    running: dict[int, TrialState] = field(default_factory=dict)
    incumbent: Incumbent | None = None
    front: Front = ()
    """Pareto front of a multi-objective experiment: the reports that no other dominates."""
    closest: tuple[int, Sequence[float]] | None = None
    """Trial that came closest to the constraints, and its values of them; None once there is an incumbent."""
    answered: bool = False
    """Whether any report had a finite result in all objectives, even if it violates constraints."""
    diverged: Event | None = None
    """The first report before `answered` whose result is not finite in every objective; None if there is none."""
    reports: int = 0
    elapsed: float = 0.0
    created: float | None = None
    """Unix time of the first event, which tells the experiment from others at the same path."""
    sessions: int = 0
    silent_failures: int = 0
    """Number of trials in a row that failed without a report."""
    first_error: str | None = None
    """Error of the first of the trials that failed in a row without a report; None if there is none."""
    out_of_memory: int = 0
    """Number of trials that failed because memory was used up."""
    trained: int = 0
    """Units of resource that were trained, without repetitions."""
    spending: Spending = field(default_factory=Spending)
    """Costs of the trials, if a metric is named for them."""
    held_out: HeldOut = field(default_factory=HeldOut)
    """Test values of the best results."""
    again: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    """Units of resource that were trained again, by promoted trials (True) and by interrupted ones (False)."""
    unread: int = 0
    """Number of lines on report channels that were not reports."""
    finished: str | None = None
    """Reason why the experiment has finished; None if it has not."""
    n_workers: int | None = None
    """Number of workers of the last session; None in logs of earlier versions."""
    retries: int = 0
    """Number of trials that train the configuration of a failed one again."""
    copies: int = 0
    """Number of trials that started from a copy of another's checkpoint."""
    device_time: DeviceTime = field(default_factory=DeviceTime)
    """Seconds for which trials held devices."""
    nodes: Counter[str] = field(default_factory=Counter)
    """Number of attempts on each machine, as far as the log names machines."""
    code: CodeHistory = field(default_factory=CodeHistory)
    """Versions of the code, and which trial ran which."""
    steering: Steering = field(default_factory=Steering)
    """Commands that people gave to the experiment."""
    _counts: Counter[Status] = field(default_factory=Counter)
    _least: float | None = None
    """Smallest sum of constraint violations so far, reached by the trial in `closest`; None before the first."""
    _opened: float = 0.0
    _available: float = 0.0
    """Worker seconds of the sessions before the last one, which was opened at `_opened`."""

    def apply(self, event: Event, outcome: ReportOutcome | None = None) -> None:
        """Take in the next event.

        Args:
            event: The next event of the log.
            outcome: Outcome of a report, if it is known already.
        """
        if event.elapsed > self.elapsed:
            self.elapsed = event.elapsed
        match event.kind:
            case Kind.REPORTED:
                self._reported(event, outcome)
            case Kind.ENDED:
                self.code.apply(event, self.sessions)
                self._ended(event)
            case Kind.STARTED:
                self.code.apply(event, self.sessions)
                self._started(event)
            case Kind.RESUMED | Kind.RESTARTED:
                self.code.apply(event, self.sessions)
                self._again(event)
            case Kind.DROPPED:
                state = self._of(event)
                state.position, state.heard = event.body["position"], event.elapsed
            case Kind.COMMANDED:
                self._commanded(event)
            case Kind.OPENED:
                self.sessions += 1
                self.code.apply(event, self.sessions)
                self.steering.apply(event)
                self.created = event.time if self.created is None else self.created
                self.finished, self.device_time.names_machines = None, False
                self._man(event)
                self.silent_failures = 0  # whoever runs the command again may have mended something
            case Kind.FINISHED:
                self.finished = event.body["reason"]
                self.steering.apply(event)
            case Kind.NOTED:
                self._noted(event)

    def apply_all(self, events: Iterable[Event]) -> "ExperimentState":
        """Take in events in order, and return this state."""
        for event in events:
            self.apply(event)
        return self

    def counts(self) -> dict[Status, int]:
        """Return the number of trials with each status, in the order of `Status`."""
        return {status: self._counts[status] for status in Status if self._counts[status]}

    @property
    def status(self) -> str:
        """`complete`; `failed` if it finished without a finite result; `interrupted` if it is unfinished or still runs."""
        if self.finished is None:
            return "interrupted"
        return "complete" if self.answered else "failed"

    @property
    def best_trials(self) -> list[int]:
        """The trial with the best result so far, or the trials on the Pareto front; empty before the first result."""
        return sorted({trial for trial, _ in self.best_reports})

    @property
    def best_reports(self) -> Collection[tuple[int, int]]:
        """Trial id and resource of the best result so far, or of those on the Pareto front."""
        if self.objective.aims:
            return [(point.trial_id, point.resource) for point in self.front]
        return [] if self.incumbent is None else [(self.incumbent.trial_id, self.incumbent.resource)]

    @property
    def counted_trials(self) -> int:
        """The number of trials that count for `max_num_trials`: all but retries and those from a copied checkpoint."""
        return len(self.trials) - self.retries - self.copies

    def failed_trials(self) -> list[TrialState]:
        """Return the trials that failed and were not retried; if no result is finite, all that have ended.

        Trials that somebody has stopped are left out.
        """
        over = {Status.FAILED} if self.answered else set(Status) - {Status.RUNNING, Status.INTERRUPTED}
        trials = self.trials.values()
        return [one for one in trials if one.status in over and not one.retried and one.stopped_by is None]

    def busy_seconds(self) -> float:
        """Return the worker seconds spent on trials so far."""
        done = sum(state.busy for state in self.trials.values())
        return done + sum(self.elapsed - state.began for state in self.running.values())

    def available_seconds(self, n_workers: int, elapsed: float | None = None) -> float:
        """Return the worker seconds available until `elapsed`; each session counts with the workers it had.

        Args:
            n_workers: Number of workers of sessions for which it is not known.
            elapsed: Seconds of the experiment; None for the time of its last event.
        """
        until = self.elapsed if elapsed is None else elapsed
        return self._available + (until - self._opened) * (self.n_workers or n_workers)

    def _man(self, event: Event) -> None:
        """Note the beginning of a session, perhaps with another number of workers."""
        if (workers := event.body.get("n_workers")) is not None:
            self._available = self.available_seconds(workers)
            self._opened, self.n_workers = self.elapsed, workers

    def _of(self, event: Event) -> TrialState:
        return self.trials[event.trial_id]

    def _noted(self, event: Event) -> None:
        self.code.apply(event, self.sessions)
        node = event.body.get("node")
        if node is not None and (state := self.running.get(event.trial_id)) is not None:
            state.node = node
            self.device_time.place(state, event.elapsed)
            self.nodes[node] += 1

    def _started(self, event: Event) -> None:
        state = TrialState.begun(event, self.trials)
        if (replaced := event.body.get("replaces")) is not None:
            self.copies += 1
            if self.trials[replaced].status == Status.PAUSED:
                self._set_status(self.trials[replaced], Status.STOPPED)
        if (failed := event.body.get("retries")) is not None:
            self.trials[failed].retried = True
            self.retries += 1
        self.trials[state.trial.id] = state
        self._counts[Status.RUNNING] += 1
        self._employ(state)

    def _again(self, event: Event) -> None:
        state = self._of(event)
        state.promoted = event.kind == Kind.RESUMED
        if state.status == Status.RUNNING:
            state.then = event.body["until"]
        else:
            self._next_attempt(state, event.body["until"], event.elapsed)

    def _next_attempt(self, state: TrialState, until: int | None, elapsed: float) -> None:
        self._set_status(state, Status.RUNNING)
        state.until, state.then, state.ending = until, None, None
        state.attempt, state.position, state.lines = state.attempt + 1, 0, 0
        state.node = state.placed = None
        state.began = state.heard = elapsed
        self._employ(state)

    def _employ(self, state: TrialState) -> None:
        taken = {other.worker for other in self.running.values()}
        state.worker = 0
        while state.worker in taken:
            state.worker += 1
        self.running[state.trial.id] = state
        self.code.begin(state.trial.id)

    def _set_status(self, state: TrialState, status: Status) -> None:
        self._counts[state.status] -= 1
        self._counts[status] += 1
        state.status = status

    def _reported(self, event: Event, outcome: ReportOutcome | None) -> None:
        resource, state = event.reached, self._of(event)
        if outcome is None:
            outcome = self.objective.outcome(event.body["metrics"], resource)
        self.trained += resource - state.resource
        self.spending.add(state.trial.id, outcome.cost)
        state.take(event, outcome)
        self.reports += 1
        self.silent_failures = 0
        if not self.answered:
            self.answered = outcome.finite
            self.diverged = self.diverged or (None if outcome.finite else event)
        best, loss = self.incumbent, outcome.merit
        # Ties go to the earlier trial; an infinite loss is nobody's best.
        if loss != float("inf") and self.objective.aims:
            self._extend(FrontPoint(outcome.losses, state.trial.id, resource, event.elapsed))
        elif loss != float("inf") and (best is None or (loss, state.trial.id) < (best.loss, best.trial_id)):
            self.incumbent, self.closest = Incumbent(loss, state.trial.id, resource, event.elapsed), None
        elif best is None and outcome.judged and outcome.violation > 0:
            self._come_closer(state.trial.id, outcome.violation, event)
        if self.objective.test_metrics:
            values = self.objective.test_values(event.body["metrics"])
            self.held_out.add(state.trial.id, resource, values, self.best_reports)

    def _extend(self, point: FrontPoint) -> None:
        self.front, self.closest = extend_front(self.front, point), None
        first = self.front[0]
        self.incumbent = Incumbent(first.losses[0], first.trial_id, first.resource, first.elapsed)

    def _come_closer(self, trial_id: int, violation: float, event: Event) -> None:
        """Remember a trial if it comes closer to the constraints than those before; the earlier of equal ones counts."""
        if self._least is None or (violation, trial_id) < (self._least, self.closest[0] if self.closest else trial_id):
            self._least = violation
            self.closest = trial_id, self.objective.bounded(event.body["metrics"])

    def _ended(self, event: Event) -> None:
        state = self._of(event)
        self._set_status(state, Status(event.body["status"]))
        state.busy += event.elapsed - state.began
        self.device_time.end(state, event.elapsed)
        self.unread += event.body.get("unread", 0)
        self.again[state.promoted] += event.body.get("again", 0)
        state.ending = None
        self.running.pop(state.trial.id, None)
        if state.status in (Status.FAILED, Status.TIMEOUT):
            self._failed(state, event)
        if state.stopped_by is not None:
            state.then = None  # it had been promoted while its processes were ending
        elif state.then is not None:
            self._next_attempt(state, state.then, event.elapsed)

    def _commanded(self, event: Event) -> None:
        self.steering.apply(event)
        if (trial_id := stopped_trial(event)) is not None:
            state = self.trials[trial_id]
            state.stopped_by = event.body["id"]
            if state.status != Status.RUNNING:  # nothing of it is left to end
                self._set_status(state, Status.STOPPED)

    def _failed(self, state: TrialState, event: Event) -> None:
        self.out_of_memory += bool(event.body.get("out_of_memory"))
        self.silent_failures = 0 if state.has_reported else self.silent_failures + 1
        if self.silent_failures == 1:
            self.first_error = event.body.get("error")
