"""The simulated backend: results of trials are looked up in a tabular benchmark, and trials take virtual time.

The tuner, the schedulers and the log are those of real experiments.

All events are totally ordered by (time, worker, trial), so that the same experiment gives the same log.
"""

import heapq
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from hpo.backends.base import Backend, BackendCapabilities
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.events.state import ExperimentState
from hpo.events.types import BackendEvent, Exit, Report, Trial
from hpo.randomness import Randomness
from hpo.store.directory import ExperimentDirectory
from hpo.tables.lookup import find_table
from hpo.tables.recorded_training import RecordedTraining
from hpo.tables.table import Table

_REPORT, _EXIT = 0, 1


@dataclass(slots=True)
class _Training:
    trial_id: int
    attempt: int
    worker: int
    until: int
    began: float
    """Virtual time at which the training would have started if it had run in one piece."""
    recorded: RecordedTraining
    resource: int
    """Resource of the next report."""


@dataclass
class SimulatedBackend(Backend):
    """A backend that simulates attempts on a virtual clock.

    Args:
        table: Tabular benchmark with the results.
        randomness: Decides which of the recorded trainings a configuration gets, the same for all methods.
        charge_decisions: Let virtual time also pass while the tuner decides; experiments are then not reproducible.
        otherwise: Values of inactive conditional hyperparameters for which the table still needs one.
        best: Best value of the metric, or the Pareto front, among the table's configurations that meet the constraints;
            stored as a fact.
        silent: Metrics of the table that are not reported: its cumulative ones, such as the training time, which the clock
            shows anyway, unless the experiment uses them.
    """

    table: Table
    randomness: Randomness
    charge_decisions: bool = False
    otherwise: Mapping[str, Any] = field(default_factory=dict)
    best: Mapping[str, Any] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    now: float = 0.0
    _heap: list[tuple[float, int, int, int, int]] = field(default_factory=list)
    """Heap of future events: (time, worker, trial, kind, attempt)."""
    _running: dict[int, _Training] = field(default_factory=dict)
    _recorded: dict[int, RecordedTraining] = field(default_factory=dict)
    """Recorded trainings of trials that may resume."""
    _reached: dict[int, int] = field(default_factory=dict)
    """Resource of each trial's checkpoint."""
    _idle: list[int] = field(default_factory=list)
    _new_workers: Iterator[int] = field(default_factory=itertools.count)
    _returned: float | None = None

    def __post_init__(self) -> None:
        self._maximum = self.table.max_resource
        self._resource_attr = str(self.table.about["resource_attr"])

    capabilities = BackendCapabilities(repeatable=True)

    @classmethod
    def check(cls, config: ExperimentConfig) -> None:
        """Raise ConfigError if the table is missing, or lacks what the experiment looks up."""
        if config.benchmark.table is None:
            raise ConfigError("backend=simulated: benchmark.table is not given; name a table, or use backend=local")
        table = find_table(config.benchmark.table)
        table.check_space(config.space)
        tests = {f"benchmark.test_metric={name}": name for name in config.objective.test_metrics}
        for key, metric in {**config.objective.judged, **tests}.items():
            if metric not in table.metrics:
                raise ConfigError(
                    f"{key}: the table {table.name} has only {', '.join(table.metrics)}; name one of them"
                )
        if (config.max_resource or 0) > table.max_resource:
            raise ConfigError(
                f"benchmark.arguments.{config.benchmark.max_resource_attr}={config.max_resource}: the table {table.name} "
                f"ends at {table.max_resource}; use at most that"
            )

    @classmethod
    def open(
        cls,
        config: ExperimentConfig,
        files: ExperimentDirectory,
        *,
        charge_decisions: bool = False,
    ) -> Self:
        """See `Backend.open`. Nothing depends on where and when the simulation runs.

        Args:
            config: Configuration of the experiment.
            files: Not used.
            charge_decisions: See `SimulatedBackend`.
        """
        table = find_table(str(config.benchmark.table))
        objective = config.objective
        best: dict[str, Any] = {}
        if objective.aims:
            best["table_front"] = table.front({aim.metric: aim.mode for aim in objective.aims}, objective.constraints)
        else:
            best["table_optimum"] = table.optimum_within(objective.constraints)
        silent = table.cumulative - set(objective.judged.values())
        return cls(table, config.randomness, bool(charge_decisions), config.space.otherwise, best, silent)

    @property
    def facts(self) -> Mapping[str, Any]:
        """Facts for metadata.json, with the source of the values and the best of them."""
        return {**super().facts, "data_label": self.table.data_label, **self.best}

    def clock(self) -> float:
        """Return the virtual seconds."""
        return self.now

    def wall(self) -> float:
        """Return the virtual seconds, in place of the Unix time."""
        return self.now

    def go_on(self, state: ExperimentState) -> None:
        """Let trials of earlier sessions resume from the resource that they reached."""
        self._reached.update({trial_id: trial.resource for trial_id, trial in state.trials.items() if trial.resource})

    def start(self, trial: Trial, attempt: int, until: int | None) -> None:
        """Schedule the attempt's first report; the attempt resumes from the resource that earlier attempts reached."""
        recorded = self._recorded.pop(trial.id, None) or self._look_up(trial)
        reached = self._reached.get(trial.id, 0)
        running = _Training(
            trial_id=trial.id,
            attempt=attempt,
            worker=heapq.heappop(self._idle) if self._idle else next(self._new_workers),
            until=self._maximum if until is None else min(until, self._maximum),
            began=self.now - recorded.seconds_until(reached),
            recorded=recorded,
            resource=reached + 1,
        )
        self._running[trial.id] = running
        self._schedule(running)

    def _look_up(self, trial: Trial) -> RecordedTraining:
        replicate = self.table.replicate(self.randomness, trial.configuration)
        configuration = {**self.otherwise, **trial.configuration}
        return self.table.look_up(configuration, replicate, silent=self.silent)

    def _schedule(self, running: _Training) -> None:
        """Schedule the attempt's next report, or its exit after the last report."""
        at, kind = self.now, _EXIT
        if running.resource <= running.until:
            kind, due = _REPORT, running.began + running.recorded.seconds_until(running.resource)
            at = due if due > at else at
        heapq.heappush(self._heap, (at, running.worker, running.trial_id, kind, running.attempt))

    def restores(self, trial_id: int, reached: int) -> Callable[[], int | None]:
        """See `Backend.restores`; a simulated trial always resumes where it was paused."""
        return lambda: reached

    def stop(self, trial_id: int, patience: float = 0.0) -> None:
        """End the attempt now, unless it is about to end by itself."""
        running = self._running.get(trial_id)
        if running is not None and running.resource <= running.until:
            running.until = running.resource - 1  # its scheduled events are skipped
            heapq.heappush(self._heap, (self.now, running.worker, trial_id, _EXIT, running.attempt))

    def kill(self) -> None:
        """End all attempts now."""
        for trial_id in list(self._running):
            self.stop(trial_id)

    def wait(self, timeout: float | None) -> Sequence[BackendEvent]:
        """Advance the virtual time to the next event, or by `timeout`."""
        if self.charge_decisions and self._returned is not None:
            self.now += time.perf_counter() - self._returned
        event = self._next(self.now + timeout if timeout is not None else float("inf"))
        self._returned = time.perf_counter() if self.charge_decisions else None
        return [event] if event is not None else ()

    def _next(self, limit: float) -> BackendEvent | None:
        while self._heap and self._heap[0][0] <= limit:
            at, _, trial_id, kind, attempt = heapq.heappop(self._heap)
            running = self._running.get(trial_id)
            if running is None or running.attempt != attempt or (kind == _REPORT and running.resource > running.until):
                continue  # the attempt was ended before this event
            self.now = at if at > self.now else self.now
            return self._report(running) if kind == _REPORT else self._exit(running)
        if limit != float("inf"):
            self.now = max(self.now, limit)
        return None

    def _report(self, running: _Training) -> Report:
        resource = running.resource
        metrics = running.recorded.report(resource)
        metrics[self._resource_attr] = resource
        self._reached[running.trial_id] = resource
        running.resource = resource + 1
        self._schedule(running)
        return Report(running.trial_id, running.attempt, metrics, resource)

    def _exit(self, running: _Training) -> Exit:
        del self._running[running.trial_id]
        if self._reached.get(running.trial_id, 0) < self._maximum:
            self._recorded[running.trial_id] = running.recorded
        heapq.heappush(self._idle, running.worker)
        return Exit(running.trial_id, running.attempt, 0)

    def wake(self) -> None:
        """Ignore the call: `wait` never blocks."""

    def forget_checkpoint(self, trial_id: int) -> None:
        """Forget how far the trial got, so that it would start over if it were resumed."""
        self._reached.pop(trial_id, None)
