"""Stand-ins for what a tuner talks to: a backend on a virtual clock, an event log in memory, a whole experiment.

    reason, state, events = run_fake("ASHA", n_workers=2, max_resource=9)

Nothing here sleeps, starts a process or reads a real clock, so a run is the same every time.
"""

import hashlib
import heapq
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpo import build_scheduler
from hpo.backends.base import Backend
from hpo.errors import StoreError
from hpo.events.objective import Aim, Objective
from hpo.events.state import ExperimentState
from hpo.events.steering import Command
from hpo.events.types import BackendEvent, CommandSignal, Configuration, Event, Exit, Garbage, Report, Trial
from hpo.schedulers.base import Scheduler
from hpo.schedulers.replay import restore
from hpo.tuner.loop import Tuner
from hpo.tuner.stopping import Budget
from hpo.tuner.trial_limits import Limits

MODELS = (
    "BO",
    "ASHA-GP",
    "ASHA-GP-TIME",
    "MOBSTER",
    "MOBSTER-INDEP",
    "HYPERTUNE",
    "TPE",
    "ASHA-TPE",
    "BOHB",
    "ASHA-CQR",
)
FOR_SEVERAL = ("MO-ASHA", "MO-ASHA-GP", "NSGA-II")
"""Methods that are for several objectives, and get two here."""
METHODS = (
    "RS",
    "SOBOL",
    "GRID",
    "ASHA",
    "ASHA-STOP",
    "HYPERBAND",
    "SYNC-HYPERBAND",
    "PRIORBAND",
    "PASHA",
    "DEHB",
    "MEDIAN",
    "REA",
    "CMA-ES",
    *MODELS,
    *FOR_SEVERAL,
)
CONTRACTED = tuple(n for n in METHODS if n not in ("MOBSTER", "MOBSTER-INDEP", "TPE", "REA", "CMA-ES", "ASHA-CQR"))
"""What the scheduler contract runs over: those left out are pairs of parts that the others have."""
HALVING = (
    "ASHA",
    "PRIORBAND",
    "PASHA",
    "DEHB",
    "ASHA-STOP",
    "HYPERBAND",
    "SYNC-HYPERBAND",
    "ASHA-GP",
    "ASHA-GP-TIME",
    "MOBSTER",
    "MOBSTER-INDEP",
    "HYPERTUNE",
    "MO-ASHA",
    "MO-ASHA-GP",
    "ASHA-TPE",
    "BOHB",
    "ASHA-CQR",
)
EVERY = (*METHODS, "PBT")
"""With the one whose trials go on from copies of others, which is held to what is not about numbers of trials."""
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "NSGA-II": {"population_size": 4},
    "ASHA-CQR": {"num_candidates": 60, "iterations": 4},
    "PBT": {"population": 5, "interval": 2, "mutable": ["x", "act"]},
}
"""With which few trials, and little time, are enough for a method to do what is its own."""
SPACE = {
    "x": {"type": "float", "lower": 0.0, "upper": 1.0},
    "n": {"type": "int", "lower": 1, "upper": 64, "log": True},
    "act": {"type": "choice", "values": ["relu", "tanh"]},
}
TINY = {
    "a": {"type": "choice", "values": ["p", "q"]},
    "b": {"type": "int", "lower": 1, "upper": 3},
}
OBJECTIVE = Objective("error", "min", "epoch")
OBJECTIVES = Objective("error", "min", "epoch", aims=(Aim("error", "min"), Aim("speed", "max", log=True)))


def objective_of(method: str | Mapping[str, Any]) -> Objective:
    """What a method is asked for here."""
    return OBJECTIVES if isinstance(method, str) and method in FOR_SEVERAL else OBJECTIVE


def unit(*parts: Any) -> float:
    """A number in [0, 1) that depends on `parts` alone."""
    text = json.dumps(parts, sort_keys=True)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little") / 2**32


def noisy_error(configuration: Configuration, resource: int) -> float:
    """Falls with the resource; the ranks of configurations change on the way."""
    return unit(dict(configuration)) + 0.5 * unit(dict(configuration), resource) / resource + 1 / resource


def error_and_speed(configuration: Configuration, resource: int) -> dict[str, float]:
    """Two metrics that have nothing to do with each other."""
    return {"error": noisy_error(configuration, resource), "speed": 0.1 + unit(dict(configuration), "other")}


def eighths(trial_id: int, configuration: Configuration) -> float:
    """Seconds per unit of resource: different for every trial, exact in binary."""
    return 1 + int(unit(dict(configuration), "speed") * 16) / 8


@dataclass
class Clock:
    """Virtual seconds."""

    now: float = 0.0
    stood: float = 0.0
    """Of these, those that no experiment is charged for."""

    def __call__(self) -> float:
        return self.now - self.stood

    def go_to(self, when: float, *, counts: bool = True) -> None:
        """Let time pass."""
        if when > self.now:
            self.stood += 0.0 if counts else when - self.now
            self.now = when


class MemoryLog:
    """An event log that keeps what a store would give back."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.commits = 0

    def append(self, events: Sequence[Event]) -> None:
        read_back = [event._replace(body=json.loads(json.dumps(event.body))) for event in events]
        self.commits += 1
        self.events += read_back


class MemoryInbox:
    """Commands that wait, without a folder. It outlives sessions, as a folder does."""

    def __init__(self) -> None:
        self.opened = ""
        self.commands: dict[str, Command] = {}
        self._left: set[str] = set()

    def give(self, verb: str, by: str = "me", **arguments: Any) -> str:
        """Leave a command; returns its id."""
        name = f"{len(self.commands):04}"
        self.commands[name] = Command(name, verb, arguments, by)
        self._left.add(name)
        return name

    def waiting(self) -> list[str]:
        return sorted(self._left)

    def read(self, name: str) -> Command:
        return self.commands[name]

    def remove(self, name: str) -> None:
        self._left.discard(name)


class FailingLog(MemoryLog):
    """Refuses the commit number `at` (from 0), before or after it has stored it."""

    def __init__(self, at: int, *, stored: bool = False) -> None:
        super().__init__()
        self._at, self._stored = at, stored

    def append(self, events: Sequence[Event]) -> None:
        if self.commits != self._at:
            super().append(events)
            return
        if self._stored:
            super().append(events)
        self._at = -1
        raise StoreError("the disk is full")


@dataclass(frozen=True)
class Crash:
    """The script ends instead of reporting resource `at`."""

    at: int = 1
    exit_code: int | None = 1
    signal: int | None = None
    error: str | None = "ValueError: bad luck"
    attempt: int | None = None


@dataclass(frozen=True)
class Lose:
    """The host of the script dies before it reports resource `at`; one that lives on takes the next attempt."""

    at: int = 1
    attempt: int | None = 0


@dataclass(frozen=True)
class Hang:
    """The script neither ends nor reports resource `at`."""

    at: int = 1
    attempt: int | None = None


@dataclass(frozen=True)
class Garble:
    """The script writes a line that is no report before that of resource `at`."""

    at: int = 1
    text: str = "not json"
    attempt: int | None = None


@dataclass(frozen=True)
class Say:
    """The script reports these metrics in place of those of resource `at`; more than one `Say` are more reports."""

    metrics: Mapping[str, Any]
    at: int = 1
    attempt: int | None = None


Fault = Crash | Lose | Hang | Garble | Say


@dataclass
class Disk:
    """What outlives a session: checkpoints, copies of them, and the reports of every attempt."""

    checkpoints: dict[int, int] = field(default_factory=dict)
    kept: dict[tuple[int, int], int] = field(default_factory=dict)
    given: dict[int, int] = field(default_factory=dict)
    """What the checkpoint was of that a trial was given a copy of."""
    lines: dict[tuple[int, int], list[Report]] = field(default_factory=dict)


@dataclass
class _Run:
    trial: Trial
    attempt: int
    goal: int
    resource: int
    killed: bool = False


class FakeBackend(Backend):
    """Runs trials on a virtual clock.

    Args:
        clock: moved by `wait` alone.
        disk: shared by the sessions of one experiment.
        evaluate: the metric of a configuration at a resource.
        seconds: time per unit of resource of a trial.
        max_resource: where a script ends that was not told another end.
        honours_until: the script ends by itself at `until`.
        faults: what goes wrong, by trial id.
        capacity: as of devices.
        exit_delay: seconds between the last report and the exit of a script that ends by itself.
        stop_delay: seconds between a stop and the exit.
        late_reports: how many reports a script still writes after it was stopped.
        measure: bytes of a trial's checkpoint.
        at_end: the script reports only where it ends by itself.
        places: (when, how many there are from then on), for a backend whose nodes come and go.
    """

    def __init__(
        self,
        clock: Clock,
        disk: Disk | None = None,
        *,
        evaluate: Callable[[Configuration, int], Any] = noisy_error,
        seconds: Callable[[int, Configuration], float] = eighths,
        max_resource: int = 9,
        honours_until: bool = True,
        faults: Mapping[int, Sequence[Fault]] | None = None,
        capacity: int | None = None,
        exit_delay: float = 0.125,
        stop_delay: float = 0.125,
        late_reports: int = 0,
        measure: Callable[[int], int] = lambda _: 0,
        at_end: bool = False,
        places: Sequence[tuple[float, int]] = (),
    ) -> None:
        self.clock, self.disk = clock, disk or Disk()
        self.evaluate, self.seconds, self.max_resource = evaluate, seconds, max_resource
        self.at_end = at_end
        self.honours_until, self.faults = honours_until, faults or {}
        self._capacity = capacity
        self.measure = measure
        self.exit_delay, self.stop_delay, self.late_reports = exit_delay, stop_delay, late_reports
        self.calls: list[tuple[Any, ...]] = []
        self.most_running = 0
        self.runs: dict[int, _Run] = {}
        self._agenda: list[tuple[float, int, Callable[[], Sequence[BackendEvent | CommandSignal]]]] = []
        self._numbers = itertools.count()
        self._woken = False
        self._waits = 0
        self._comes_and_goes = bool(places)
        if places:
            self._capacity = 0
        for when, count in places:
            self.at(when, lambda count=count: setattr(self, "_capacity", count))

    def wall(self) -> float:
        return 1e9 + self.clock.now

    def has_checkpoint(self, trial_id: int) -> bool:
        return trial_id in self.disk.checkpoints

    def checkpoint_bytes(self, trial_id: int) -> int:
        return self.measure(trial_id)

    def called(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of all calls of one name so far."""
        return [call[1:] for call in self.calls if call[0] == name]

    def at(self, when: float, action: Callable[[], object]) -> None:
        """Do something at a time of the virtual clock, from within `wait`."""

        def act() -> list[BackendEvent]:
            action()
            return []

        self._push(when, act)

    def knock(self, when: float, action: Callable[[], object] = lambda: None) -> None:
        """Do something at a time of the virtual clock, and tell of a command."""

        def act() -> list[BackendEvent | CommandSignal]:
            action()
            return [CommandSignal()]

        self._push(when, act)

    @property
    def capacity(self) -> int | None:
        return self._capacity

    @property
    def waiting_for_capacity(self) -> bool:
        return self._comes_and_goes

    def start(self, trial: Trial, attempt: int, until: int | None) -> None:
        self.calls.append(("start", trial.id, attempt, until))
        assert trial.id not in self.runs, f"trial {trial.id} is still running"
        assert (trial.id, attempt) not in self.disk.lines, f"attempt {attempt} of trial {trial.id} has been"
        self.disk.lines[trial.id, attempt] = []
        goal = self.max_resource if until is None or not self.honours_until else until
        run = _Run(trial, attempt, goal, self.disk.checkpoints.get(trial.id, 0))
        self.runs[trial.id] = run
        self.most_running = max(self.most_running, len(self.runs))
        self._go_on(run)

    def stop(self, trial_id: int, patience: float = 0.0) -> None:
        self.calls.append(("stop", trial_id, patience))
        run = self.runs.get(trial_id)
        if run is None:
            return
        if patience > 0:
            self._push(self.clock.now + patience, lambda: self._kill(run))
        else:
            for event in self._kill(run):
                self._push(self.clock.now, lambda event=event: [event])

    def wait(self, timeout: float | None) -> Sequence[BackendEvent | CommandSignal]:
        self._waits += 1
        assert self._waits < 100_000, "the tuner goes round and round"
        if self._woken:
            self._woken = False
            return ()
        due = self._agenda[0][0] if self._agenda else None
        if due is None or (timeout is not None and due > self.clock.now + timeout):
            assert timeout is not None, "the tuner waits for ever: nothing runs"
            self.clock.go_to(self.clock.now + timeout, counts=self._capacity != 0)
            return ()
        when, _, happen = heapq.heappop(self._agenda)
        self.clock.go_to(when, counts=self._capacity != 0)
        return happen()

    def wake(self) -> None:
        self._woken = True

    def left_over(self, trial_id: int, attempt: int, position: int) -> Sequence[BackendEvent]:
        return [line for line in self.disk.lines.get((trial_id, attempt), ()) if line.position > position]

    def forget_checkpoint(self, trial_id: int) -> None:
        self.calls.append(("forget", trial_id))
        self.disk.checkpoints.pop(trial_id, None)

    def keep_checkpoint(self, trial_id: int, resource: int) -> None:
        self.calls.append(("keep", trial_id, resource))
        assert trial_id not in self.runs, "what a running trial has saved changes"
        assert self.disk.checkpoints[trial_id] == resource, "that is not what was compared"
        self.disk.kept[trial_id, resource] = resource

    def copy_checkpoint(self, source: int, resource: int | None, trial_id: int) -> None:
        self.calls.append(("copy", source, resource, trial_id))
        assert resource is not None or source not in self.runs, "what a running trial has saved changes"
        found = self.disk.checkpoints[source] if resource is None else self.disk.kept[source, resource]
        self.disk.checkpoints[trial_id] = self.disk.given[trial_id] = found

    def kept_checkpoints(self) -> Mapping[tuple[int, int], int]:
        return {place: self.measure(place[0]) for place in self.disk.kept}

    def forget_kept(self, trial_id: int, resource: int) -> None:
        self.calls.append(("forget_kept", trial_id, resource))
        del self.disk.kept[trial_id, resource]

    def kill(self) -> None:
        self.calls.append(("kill",))
        for run in list(self.runs.values()):
            run.killed = True
            self._push(self.clock.now, lambda run=run: self._exit(run, None, 9))

    def close(self) -> None:
        self.calls.append(("close",))

    def _push(self, when: float, happen: Callable[[], Sequence[BackendEvent | CommandSignal]]) -> None:
        heapq.heappush(self._agenda, (when, next(self._numbers), happen))

    def _go_on(self, run: _Run) -> None:
        if run.resource >= run.goal:
            self._push(self.clock.now + self.exit_delay, lambda: self._exit(run, 0, None))
        else:
            seconds = self.seconds(run.trial.id, run.trial.configuration)
            self._push(self.clock.now + seconds, lambda: self._advance(run))

    def _advance(self, run: _Run) -> list[BackendEvent]:
        if run.killed or self.runs.get(run.trial.id) is not run:
            return []
        events: list[BackendEvent] = []
        said: list[Mapping[str, Any]] = []
        resource = run.resource + 1
        for fault in self.faults.get(run.trial.id, ()):
            if fault.at != resource or fault.attempt not in (None, run.attempt):
                continue
            match fault:
                case Crash(exit_code=code, signal=number, error=error):
                    return [*events, *self._exit(run, code, number, error=error)]
                case Lose():
                    return [*events, *self._exit(run, None, None, lost=True)]
                case Hang():
                    return events
                case Garble(text=text):
                    events.append(Garbage(run.trial.id, run.attempt, text))
                case Say(metrics=metrics):
                    said.append(metrics)
        run.resource = self.disk.checkpoints[run.trial.id] = resource
        if not self.at_end or resource == run.goal:
            events += [self._write(run, metrics) for metrics in said or [self._metrics(run)]]
        self._go_on(run)
        return events

    def _metrics(self, run: _Run) -> dict[str, Any]:
        found = self.evaluate(run.trial.configuration, run.resource)
        return {**(found if isinstance(found, Mapping) else {"error": found}), "epoch": run.resource}

    def _write(self, run: _Run, metrics: Mapping[str, Any]) -> Report:
        lines = self.disk.lines[run.trial.id, run.attempt]
        position = (lines[-1].position if lines else 0) + len(json.dumps(metrics)) + 1
        lines.append(Report(run.trial.id, run.attempt, dict(metrics), position))
        return lines[-1]

    def _kill(self, run: _Run) -> list[BackendEvent]:
        if run.killed or self.runs.get(run.trial.id) is not run:
            return []
        run.killed = True
        events: list[BackendEvent] = []
        for _ in range(self.late_reports):
            run.resource = self.disk.checkpoints[run.trial.id] = run.resource + 1
            events.append(self._write(run, self._metrics(run)))
        self._push(self.clock.now + self.stop_delay, lambda: self._exit(run, None, 15))
        return events

    def _exit(
        self, run: _Run, code: int | None, number: int | None, error: str | None = None, lost: bool = False
    ) -> list[BackendEvent]:
        if self.runs.get(run.trial.id) is not run:
            return []
        del self.runs[run.trial.id]
        return [Exit(run.trial.id, run.attempt, code, number, lost, error, {"cpu_seconds": 1.0})]


@dataclass
class FakeExperiment:
    """An experiment whose sessions share the log, the disk and the clock, as processes on one machine do."""

    method: str | Mapping[str, Any] = "ASHA"
    space: Mapping[str, Any] = field(default_factory=lambda: SPACE)
    seed: int = 0
    random_seed: int = 0
    n_workers: int = 4
    max_resource: int = 9
    budget: Budget = field(default_factory=lambda: Budget(max_num_trials=12))
    objective: Objective = OBJECTIVE
    points_to_evaluate: Sequence[Mapping[str, Any]] | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    backend: Mapping[str, Any] = field(default_factory=dict)
    callbacks: Sequence[Any] = ()
    retry: bool = False
    inbox: MemoryInbox = field(default_factory=MemoryInbox)
    log: MemoryLog = field(default_factory=MemoryLog)
    disk: Disk = field(default_factory=Disk)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        if self.objective is OBJECTIVE:
            self.objective = objective_of(self.method)

    def scheduler(self) -> Scheduler:
        """A fresh one."""
        return build_scheduler(
            self.method,
            self.space,
            max_resource=self.max_resource,
            seed=self.seed,
            random_seed=self.random_seed,
            points_to_evaluate=self.points_to_evaluate,
            objectives={aim.metric: {"mode": aim.mode, "log": aim.log} for aim in self.objective.aims},
            **{**OPTIONS.get(str(self.method), {}), **self.overrides},
        )

    def session(self, state: ExperimentState | None = None) -> Tuner:
        """A tuner that goes on where the log ends, with a backend of its own (`tuner.backend`)."""
        scheduler, state = self.scheduler(), state or ExperimentState(self.objective)
        restore(scheduler, state, list(self.log.events))
        given = {"max_resource": self.max_resource, "evaluate": error_and_speed if self.objective.aims else noisy_error}
        backend = FakeBackend(self.clock, self.disk, **{**given, **self.backend})
        limits = {"n_workers": self.n_workers, "max_resource": self.max_resource, "ends_by_itself": True}
        given = self.budget.limits(self.objective)
        tuner = Tuner(
            scheduler,
            backend,
            self.log,
            state,
            Budget(**{**given, **state.steering.changes_under(given)}),
            Limits(**{**limits, **self.limits}),
            self.callbacks,
            self.retry,
            self.inbox,
        )
        tuner.commands.heard = True
        return tuner

    def run(self) -> tuple[str | None, ExperimentState, list[Event]]:
        """One session, to its end."""
        tuner = self.session()
        reason = tuner.run({"budget": self.budget.limits(self.objective)})
        return reason, tuner.state, self.log.events


def run_fake(method: str | Mapping[str, Any], **options: Any) -> tuple[str | None, ExperimentState, list[Event]]:
    """Run an experiment to its end: why it is complete, what is known, what was logged.

    Args:
        method: a name in conf/method, or what such a file contains.
        **options: fields of `FakeExperiment`.
    """
    return FakeExperiment(method, **options).run()
