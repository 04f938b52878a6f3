"""The state of an experiment for live displays: what its events say beyond `ExperimentState`, and the rows to show.

The cost of an event does not grow with the number of earlier events, and the cost of a frame depends only on what it
shows: nothing iterates over all trials.
"""

import itertools
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from hpo.config.reading import resolve
from hpo.config.schema import ExperimentConfig
from hpo.events.device_time import price_of
from hpo.events.fronts import Front
from hpo.events.state import ExperimentState
from hpo.events.trial_state import TrialState
from hpo.events.types import Event, Kind, Status
from hpo.history.device_use import device_hours
from hpo.history.rungs import RungBoard, rung_board
from hpo.results.hypervolume import front_share
from hpo.results.rows import reason_of

RECENT = 60.0
"""Seconds over which the recent utilisation of workers is computed."""
MOST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed trial, as live displays show it."""

    elapsed: float
    trial_id: int
    status: str
    reason: str
    log: str
    """Path of the trial's log, relative to the experiment's directory."""


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker and the trial that it runs."""

    worker: int
    node: str
    """Machine of the worker's trial, if trials run on several machines."""
    devices: str
    """GPUs of the worker's trial, in the form of CUDA_VISIBLE_DEVICES."""
    used: float
    """Share of the experiment's time during which the worker was busy."""
    state: TrialState | None
    """State of the worker's trial; None if the worker is free."""
    seconds: float
    """Duration of the current attempt so far."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of an experiment towards the budget that will be used up first."""

    share: float
    """Used share of the budget, from 0 to 1."""
    budget: str
    """Use of the budget in words, such as `12 of 40 trials`."""
    seconds_left: float | None
    """Estimated time left, exact for a time budget; None if it cannot be estimated."""


@dataclass
class Board:
    """The state of one experiment for live displays.

    Args:
        config: Configuration of the experiment.
    """

    config: ExperimentConfig
    state: ExperimentState = field(init=False)
    failures: deque[Failure] = field(default_factory=lambda: deque(maxlen=MOST_FAILURES))
    host: str | None = None
    """Name of the machine where the last session runs."""
    told: float = 0.0
    """Unix time of the last event."""
    rungs: RungBoard = field(init=False)

    _share: tuple[Front, float] = ((), 0.0)
    """Last Pareto front and its hypervolume, cached because the front is read more often than it changes."""
    _workers: list[float] = field(default_factory=list)
    """Busy seconds of each worker in attempts that have ended."""
    _ended: deque[tuple[float, float]] = field(default_factory=deque)
    """Start and end of recent attempts, in elapsed seconds."""
    _devices: dict[int, Sequence[str]] = field(default_factory=dict)
    """GPUs of running trials by trial id, as the log records them."""

    def __post_init__(self) -> None:
        self.config = resolve(self.config)
        self.state = ExperimentState(self.config.objective)
        self.rungs = rung_board(self.config)
        self._workers = [0.0] * (self.config.n_workers or 1)

    # ------------------------------------------------------------------ events

    def apply(self, event: Event) -> None:
        """Update the board with the next event."""
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
            steering = self.state.steering  # the stored configuration may be older than a steering command
            self.config = replace(self.config, **{**(steering.given or {}), **steering.changes})
        if event.trial in self.state.running:
            self._workers += [0.0] * (self.state.running[event.trial].worker + 1 - len(self._workers))
        self.rungs.apply(event, self.state)

    def apply_all(self, events: Iterable[Event]) -> "Board":
        """Update the board with several events in order."""
        for event in events:
            self.apply(event)
        return self

    def _end(self, event: Event) -> None:
        """Record the end of an attempt, before the state removes it."""
        trial = self.state.trials[event.trial_id]
        self._workers[trial.worker] += event.elapsed - trial.began
        self._ended.append((trial.began, event.elapsed))
        while self._ended[0][1] < event.elapsed - RECENT:
            self._ended.popleft()
        self._devices.pop(event.trial_id, None)
        if event.body["status"] in (Status.FAILED, Status.TIMEOUT):
            log = f"trials/{event.trial}/attempt_{event.attempt}/stderr.log"
            self.failures.append(Failure(event.elapsed, event.trial_id, event.body["status"], reason_of(event), log))

    # ------------------------------------------------------------------ output

    @property
    def name(self) -> str:
        """The names of benchmark and method, and the seed."""
        return f"{self.config.benchmark.name} · {self.config.method.name} · seed {self.config.seed}"

    def elapsed(self, running: bool) -> float:
        """Return the elapsed seconds of the experiment: until now if it runs, else until its last event."""
        passed = max(time.time() - self.told, 0.0) if running and self.told and not self.config.simulated else 0.0
        return self.state.elapsed + passed

    @property
    def hypervolume(self) -> float:
        """The hypervolume of the Pareto front as a share of its box; 0 for one objective."""
        if self._share[0] is not self.state.front:
            self._share = self.state.front, front_share(self.config, self.state.front)
        return self._share[1]

    @property
    def gpus(self) -> list[str]:
        """The GPUs of running trials."""
        return [name for names in self._devices.values() for name in names]

    def utilisation(self, elapsed: float) -> tuple[float, float]:
        """Return the shares of the workers' time that trials used: since the start, and in the last minute."""
        n_workers = self.state.n_workers or len(self._workers)
        running = [(state.began, max(elapsed, state.began)) for state in self.state.running.values()]
        busy = sum(self._workers) + sum(end - begin for begin, end in running)
        since = max(elapsed - RECENT, 0.0)
        recent = sum(max(end - max(begin, since), 0.0) for begin, end in [*self._ended, *running])
        return _share(busy, self.state.available_seconds(n_workers, elapsed)), _share(
            recent, (elapsed - since) * n_workers
        )

    def workers(self, elapsed: float) -> list[WorkerRow]:
        """Return one row per worker."""
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
        """Return the newest trials that are not running, newest first."""
        newest = (trial_id for trial_id in reversed(self.state.trials) if trial_id not in self.state.running)
        return [self.state.trials[trial_id] for trial_id in itertools.islice(newest, max(most, 0))]

    def progress(self, elapsed: float) -> Progress | None:
        """Return the progress towards the budget that is used up most; None without a budget."""
        config, state = self.config, self.state
        found = []
        if limit := config.max_wallclock_time:
            found.append(Progress(_share(elapsed, limit), f"{elapsed:.0f} of {limit:g} s", max(limit - elapsed, 0.0)))
        if config.max_num_evaluations:
            found.append(_estimate(state.reports, config.max_num_evaluations, "reports", elapsed))
        if config.max_cost:
            found.append(_estimate(state.spending.total, config.max_cost, str(config.benchmark.cost_attr), elapsed))
        hours = device_hours(config, state, elapsed)
        if config.max_device_hours:
            found.append(_estimate(round(hours, 4), config.max_device_hours, "device hours", elapsed))
        if config.max_price and (price := price_of(hours, config.device_price)) is not None:
            found.append(_estimate(round(price, 2), config.max_price, "spent on devices", elapsed))
        if config.max_num_trials:
            done = state.counted_trials - len(state.running)
            found.append(_estimate(done, config.max_num_trials, "trials", elapsed))
        if state.finished is not None:
            return Progress(1.0, state.finished, 0.0)
        return max(found, key=lambda progress: progress.share, default=None)

    def next_text(self) -> str:
        """Describe what a free worker would do now."""
        if self.state.finished is not None:
            return f"nothing: {self.state.status}"
        if (promotion := self.rungs.next_promotion()) is not None:
            begin = self.state.trials[promotion.trial_id].resource
            return f"trial {promotion.trial_id} resumes from {begin} to {promotion.until}"
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
