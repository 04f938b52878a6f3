"""Loading experiments for a comparison, in one pass over the events of each."""

import contextlib
import dataclasses
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.analysis.hypervolume_regret import REGRET, HypervolumeMeasure, hypervolume_measure
from hpo.config.reading import read_config
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.events.fronts import Front, FrontPoint, extend_front
from hpo.events.held_out import HeldOut
from hpo.events.objective import Objective, ReportError
from hpo.events.steering import is_mark
from hpo.events.text import shortened
from hpo.events.trial_costs import Spending
from hpo.events.types import Event, Kind
from hpo.history.trajectories import Trajectory
from hpo.results.files import read_metadata
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import Store
from hpo.store.experiment_paths import find_experiments
from hpo.store.untrusted import MOST_CONFIG, read_untrusted
from hpo.surrogate.arrays import Floats

SEED_LINE = re.compile(r"^seed: (\d{1,20})$", re.MULTILINE)

KNOWN_TO_THE_END = ("max_wallclock_time", "the search space is exhausted")
"""Reasons for finishing after which the incumbent at the end of the budget is known, because no better one could come.
Only the last reason also holds if trajectories go by cost.
"""


@dataclass(frozen=True, eq=False)
class LoadedExperiment:
    """One experiment, identified by benchmark, method and seed, with its trajectory: what it had found at which time."""

    directory: Path
    config: ExperimentConfig
    metadata: Mapping[str, Any]
    seed: int
    label: str
    """Name of the method, followed by the tag if two tags have different methods of that name."""
    trajectory: Trajectory
    """The incumbent's loss over time; of a multi-objective experiment the hypervolume regret of `measure`."""
    arrivals: Floats
    """Reports of a multi-objective experiment that no earlier one dominated: (elapsed, losses), shape (n, 1 + m)."""
    trial_losses: Floats
    """Best loss of each trial that meets the constraints, shape (trials,), by trial id; +inf if a trial has none."""
    answered: bool
    """Whether any report has a finite result, even one that violates the constraints."""
    reports: int
    end: float
    """Elapsed seconds up to which the experiment's results are known; the cost up to then if the benchmark names one."""
    finished: str | None
    """Reason why the experiment finished; None if it has not."""
    hosts: frozenset[str]
    """Names of the machines that the experiment's tuner ran on."""
    n_workers: Sequence[int]
    """Number of workers of the experiment's sessions, one element per change; empty if the log does not record it."""
    steered: bool
    """Whether a user stopped a trial of the experiment or held the experiment."""
    best_value: float | None = None
    """The best value of the metric; None without one, and in multi-objective experiments."""
    test_values: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Test values of the best result, by test metric."""
    measure: HypervolumeMeasure | None = None
    """Hypervolume measure of the benchmark, shared by its experiments; None for one objective."""

    @property
    def status(self) -> str:
        """`complete`; `failed` if the experiment finished without a finite result; `not complete` if it has not finished."""
        if self.finished is None:
            return "not complete"
        return "complete" if self.answered else "failed"

    @property
    def benchmark(self) -> str:
        """The name of the benchmark."""
        return self.config.benchmark.name

    @property
    def objective(self) -> Objective:
        """The objective whose values `trajectory` contains."""
        return self.config.objective if self.measure is None else REGRET

    @property
    def cost(self) -> str | None:
        """The cost metric, summed over all trials, that trajectories use in place of time; None if there is none."""
        return self.config.benchmark.cost_attr

    @property
    def limit(self) -> float | None:
        """The experiment's budget in the unit of its trajectory: `max_wallclock_time`, or `max_cost` if a cost is named."""
        return self.config.max_wallclock_time if self.cost is None else self.config.max_cost


Loaded = tuple[list[LoadedExperiment], list[str]]
"""Loaded experiments, and warnings about experiments without events on this machine."""


def load_runs(places: Iterable[str | Path]) -> Loaded:
    """Load all experiments in some directories or of some tags under outputs/, each once.

    Returns:
        The experiments, and a warning for each that has no events on this machine.

    Raises:
        StoreError: A place holds no experiment, or one is damaged.
        ConfigError: No place is named.
    """
    found = {path.resolve(): path for place in places for path in find_experiments(place)}
    if not found:
        raise ConfigError("nothing to compare: name tags or directories, such as outputs/TAG")
    configs: dict[str, ExperimentConfig] = {}
    empty = [str(path) for path in found.values() if not ExperimentDirectory(path).events.is_file()]
    runs = [_load(ExperimentDirectory(path), configs) for path in found.values() if str(path) not in empty]
    runs = _measured(runs)
    if not empty:
        return runs, []
    return runs, [
        f"left out {shortened(empty)}: no events are here; start the experiment, or bring a remote one with `hpo sync`"
    ]


def _measured(runs: Sequence[LoadedExperiment]) -> list[LoadedExperiment]:
    """Replace the trajectories of multi-objective experiments by their hypervolume regret.

    Experiments with the same objectives and reference point are measured together.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index, run in enumerate(runs):
        if run.config.objective.aims:
            benchmark = run.config.benchmark
            groups[repr((benchmark.name, benchmark.objectives, benchmark.reference_point))].append(index)
    found = list(runs)
    for members in groups.values():
        group = [runs[index] for index in members]
        measure = hypervolume_measure(
            group[0].config, [run.metadata for run in group], [run.arrivals[:, 1:] for run in group]
        )
        for index, run in zip(members, group, strict=True):
            path = measure.trajectory(run.arrivals[:, 0], run.arrivals[:, 1:])
            found[index] = dataclasses.replace(run, trajectory=path, measure=measure)
    return found


def _load(files: ExperimentDirectory, configs: dict[str, ExperimentConfig]) -> LoadedExperiment:
    config = _config(files.config, configs)
    with contextlib.closing(Store(files.events, read_only=True)) as store:
        facts = _fold(store.read(), config.objective)
    run = LoadedExperiment(
        directory=files.path,
        config=config,
        metadata=read_metadata(files),
        seed=config.seed,
        label=config.method.name,
        **facts,
    )
    known = str(run.finished).startswith(KNOWN_TO_THE_END[run.cost is not None :])
    return dataclasses.replace(run, end=max(run.end, run.limit)) if known and run.limit is not None else run


def _config(path: Path, known: dict[str, ExperimentConfig]) -> ExperimentConfig:
    """Read a stored configuration, parsing only once (20 ms) for experiments that differ only in the seed."""
    try:
        text = read_untrusted(path, MOST_CONFIG).decode()
    except (OSError, UnicodeDecodeError):
        return read_config(path)  # raises the error that says what is wrong
    seeds = SEED_LINE.findall(text)
    if len(seeds) != 1:
        return read_config(path)
    key = SEED_LINE.sub("", text)
    if key not in known:
        known[key] = read_config(path)
    return dataclasses.replace(known[key], seed=int(seeds[0]))


def _fold(events: Iterable[Event], objective: Objective) -> dict[str, Any]:
    improvements: list[tuple[float, float]] = []
    front: Front = ()
    arrivals: list[tuple[float, ...]] = []
    trials: dict[int, float] = {}
    hosts: set[str] = set()
    n_workers: list[int] = []
    spending = None if objective.cost_attr is None else Spending()
    reports, end, finished, answered, steered = 0, 0.0, None, False, False
    held_out, best, best_report = HeldOut(), (math.inf, -1), (-1, -1)
    for event in events:
        if spending is None:
            now = event.elapsed
            end = now if now > end else end
        kind, trial = event.kind, event.trial
        if kind is Kind.REPORTED:
            assert trial is not None
            reports += 1
            try:
                outcome = objective.outcome(event.body["metrics"], event.reached)
            except ReportError:
                continue
            if spending is not None:
                spending.add(trial, outcome.cost)
                now = end = spending.total
            loss, answered = outcome.merit, answered or outcome.finite
            if objective.aims and loss < math.inf:
                before, point = front, FrontPoint(outcome.losses, trial, event.reached, now)
                if (front := extend_front(before, point)) is not before:
                    arrivals.append((now, *outcome.losses))
            if not objective.aims and (loss, trial) < best and loss < math.inf:
                best, best_report = (loss, trial), (trial, event.reached)
            if objective.test_metrics:
                held_out.add(trial, event.reached, objective.test_values(event.body["metrics"]), [best_report])
            if loss < trials.get(trial, math.inf):
                trials[trial] = loss
                improvements.append((now, loss))
        elif kind is Kind.STARTED:
            assert trial is not None
            trials[trial] = math.inf
        elif kind is Kind.OPENED:
            finished = None
            hosts.add(str(event.body.get("host", "")))
            if (workers := event.body.get("n_workers")) is not None and workers not in n_workers[-1:]:
                n_workers.append(workers)
        elif kind is Kind.FINISHED:
            finished = str(event.body["reason"])
        elif kind is Kind.COMMANDED:
            steered = steered or is_mark(event)
    import numpy as np

    return {
        "trajectory": Trajectory.of(improvements),
        "arrivals": np.array(arrivals, dtype=float).reshape(len(arrivals), 1 + len(objective.aims)),
        "trial_losses": np.array([trials[trial] for trial in sorted(trials)], dtype=float),
        "answered": answered,
        "reports": reports,
        "end": end,
        "finished": finished,
        "hosts": frozenset(hosts - {""}),
        "n_workers": n_workers,
        "steered": steered,
        "best_value": objective.value(best[0]) if best[0] < math.inf else None,
        "test_values": held_out.of(*best_report),
    }
