"""One experiment as a person watches it: what its events tell beyond `ExperimentState`, and the rows to show.

Taking in an event costs the same however many there were, and a frame costs what it shows: no list of all trials is
gone through.
"""

import itertools
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from hpo.config.reading import resolve
from hpo.config.schema import ExperimentConfig
from hpo.events.fronts import Front
from hpo.events.state import ExperimentState
from hpo.events.trial_state import TrialState
from hpo.events.values import Event, Kind, Status
from hpo.history.rungs import RungBoard, rung_board
from hpo.results.fronts import front_share
from hpo.results.rows import reason_of

RECENT = 60.0
"""Seconds over which the recent use of workers is taken."""
MOST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """A trial that failed."""

    elapsed: float
    trial_id: int
    status: str
    reason: str
    log: str
    """In the experiment's directory."""


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker and what it does."""

    worker: int
    node: str
    """The machine of its trial, where trials are on several."""
    devices: str
    """GPUs of its trial, as CUDA_VISIBLE_DEVICES names them."""
    used: float
    """Share of the experiment's time that it was busy."""
    state: TrialState | None
    """Its trial."""
    seconds: float
    """How long the attempt has taken so far."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an experiment is towards the first of its budgets to be used up."""

    share: float
    """From 0 to 1."""
    budget: str
    """Such as `12 of 40 trials`."""
    seconds_left: float | None
    """An estimate, exact for a time budget; None where nothing can be said."""


@dataclass
class Board:
    """What is kept of an experiment for a watcher.

    Args:
        config: of the experiment.
    """

    config: ExperimentConfig
    state: ExperimentState = field(init=False)
    failures: deque[Failure] = field(default_factory=lambda: deque(maxlen=MOST_FAILURES))
    host: str | None = None
    """Where the last session runs."""
    told: float = 0.0
    """Unix time of the last event."""
    rungs: RungBoard = field(init=False)

    _share: tuple[Front, float] = ((), 0.0)
    """A front, and its hypervolume: it is looked at more often than it grows."""
    _workers: list[float] = field(default_factory=list)
    """Busy seconds of each worker's attempts that are over."""
    _ended: deque[tuple[float, float]] = field(default_factory=deque)
    """Begin and end of recent attempts."""
    _devices: dict[int, Sequence[str]] = field(default_factory=dict)
    """GPUs of running trials, as the log has them."""

    def __post_init__(self) -> None:
        self.config = resolve(self.config)
        self.state = ExperimentState(self.config.objective)
        self.rungs = rung_board(self.config)
        self._workers = [0.0] * (self.config.n_workers or 1)

    # ------------------------------------------------------------------ events

    def apply(self, event: Event) -> None:
        """Take in the next event."""
        self.told = event.time
        match event.kind:
            case Kind.OPENED:
                self.host = event.body.get("host")
            case Kind.NOTED if event.trial is not None and "devices" in event.body:
                self._devices[event.trial] = event.body["devices"]
            case Kind.ENDED:
                self._end(event)
        self.state.apply(event)
        if event.kind is Kind.OPENED or event.kind is Kind.COMMANDED:
            steering = self.state.steering  # the stored configuration may be of before
            self.config = replace(self.config, **{**(steering.given or {}), **steering.changes})
        if event.trial in self.state.running:
            self._workers += [0.0] * (self.state.running[event.trial].worker + 1 - len(self._workers))
        self.rungs.apply(event, self.state)

    def apply_all(self, events: Iterable[Event]) -> "Board":
        """Take in events in order."""
        for event in events:
            self.apply(event)
        return self

    def _end(self, event: Event) -> None:
        """An attempt is over; the state still has it."""
        trial = self.state.trials[event.trial_id]
        self._workers[trial.worker] += event.elapsed - trial.began
        self._ended.append((trial.began, event.elapsed))
        while self._ended[0][1] < event.elapsed - RECENT:
            self._ended.popleft()
        self._devices.pop(event.trial_id, None)
        if event.body["status"] in (Status.FAILED, Status.TIMEOUT):
            log = f"trials/{event.trial}/attempt_{event.attempt}/stderr.log"
            self.failures.append(Failure(event.elapsed, event.trial_id, event.body["status"], reason_of(event), log))

    # ------------------------------------------------------------------ what is shown

    @property
    def name(self) -> str:
        """Benchmark, method and seed."""
        return f"{self.config.benchmark.name} · {self.config.method.name} · seed {self.config.seed}"

    def elapsed(self, running: bool) -> float:
        """Seconds of the experiment until now where it runs, else until its last event."""
        passed = max(time.time() - self.told, 0.0) if running and self.told and not self.config.simulated else 0.0
        return self.state.elapsed + passed

    @property
    def hypervolume(self) -> float:
        """Of the front, as a share of its box; 0 where there is one objective."""
        if self._share[0] is not self.state.front:
            self._share = self.state.front, front_share(self.config, self.state.front)
        return self._share[1]

    @property
    def gpus(self) -> list[str]:
        """The devices of running trials."""
        return [name for names in self._devices.values() for name in names]

    def utilisation(self, elapsed: float) -> tuple[float, float]:
        """Shares of the workers' time that trials took: of all of it, and of the last minute."""
        n_workers = self.state.n_workers or len(self._workers)
        running = [(state.began, max(elapsed, state.began)) for state in self.state.running.values()]
        busy = sum(self._workers) + sum(end - begin for begin, end in running)
        since = max(elapsed - RECENT, 0.0)
        recent = sum(max(end - max(begin, since), 0.0) for begin, end in [*self._ended, *running])
        return _share(busy, self.state.available_seconds(n_workers, elapsed)), _share(
            recent, (elapsed - since) * n_workers
        )

    def workers(self, elapsed: float) -> list[WorkerRow]:
        """One row per worker."""
        states = {state.worker: state for state in self.state.running.values()}
        rows = []
        for worker, busy in enumerate(self._workers):
            state = states.get(worker)
            seconds = max(elapsed - state.began, 0.0) if state is not None else 0.0
            devices = ",".join(self._devices.get(state.trial.id, ())) if state is not None else ""
            node = state.node or "" if state is not None and len(self.state.nodes) > 1 else ""
            rows.append(WorkerRow(worker, node, devices, _share(busy + seconds, elapsed), state, seconds))
        return rows

    def latest(self, most: int) -> list[TrialState]:
        """The newest trials that do not run, newest first."""
        newest = (trial_id for trial_id in reversed(self.state.trials) if trial_id not in self.state.running)
        return [self.state.trials[trial_id] for trial_id in itertools.islice(newest, max(most, 0))]

    def progress(self, elapsed: float) -> Progress | None:
        """How far the budget nearest to its end is used; None where there is no budget."""
        config, state = self.config, self.state
        found = []
        if limit := config.max_wallclock_time:
            found.append(Progress(_share(elapsed, limit), f"{elapsed:.0f} of {limit:g} s", max(limit - elapsed, 0.0)))
        if config.max_num_evaluations:
            found.append(_estimate(state.reports, config.max_num_evaluations, "reports", elapsed))
        if config.max_cost:
            found.append(_estimate(state.spending.total, config.max_cost, str(config.benchmark.cost_attr), elapsed))
        if config.max_num_trials:
            done = state.counted_trials - len(state.running)
            found.append(_estimate(done, config.max_num_trials, "trials", elapsed))
        if state.finished is not None:
            return Progress(1.0, state.finished, 0.0)
        return max(found, key=lambda progress: progress.share, default=None)

    def next_text(self) -> str:
        """What a free worker would do now."""
        if self.state.finished is not None:
            return f"nothing: {self.state.status}"
        if (promotion := self.rungs.next_promotion()) is not None:
            begin = self.state.trials[promotion.trial_id].resource
            return f"trial {promotion.trial_id} goes on from {begin} to {promotion.until}"
        limit = self.config.max_num_trials
        if limit is not None and self.state.counted_trials >= limit:
            return "nothing, until a running trial is through"
        unknown = self.rungs.promotes and not self.rungs.predictable
        return "a promotion or a new trial, as the method decides" if unknown else "a new trial"


def _share(part: float, whole: float) -> float:
    return min(part / whole, 1.0) if whole > 0 else 0.0


def _estimate(done: float, limit: float, what: str, elapsed: float) -> Progress:
    share = _share(done, limit)
    left = elapsed * (1 - share) / share if done else None
    return Progress(share, f"{done:.10g} of {limit:.10g} {what}", left)
