"""Experiments as a comparison needs them: one light pass over the events of each."""

import contextlib
import dataclasses
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.analysis.measuring import REGRET, Measure, measure_of
from hpo.config.reading import read_config
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.events.fronts import Front, FrontPoint, extended
from hpo.events.objective import Objective, ReportError
from hpo.events.spending import Spending
from hpo.events.steering import is_mark
from hpo.events.values import Event, Kind
from hpo.events.wording import shortened
from hpo.history.trajectories import Floats, Trajectory
from hpo.results.files import read_metadata
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import Store
from hpo.store.places import find_experiments
from hpo.store.untrusted import MOST_CONFIG, read_untrusted

SEED_LINE = re.compile(r"^seed: (\d{1,20})$", re.MULTILINE)

KNOWN_TO_THE_END = ("max_wallclock_time", "the search space is exhausted")
"""Reasons for which the incumbent at the end of the wall-clock budget is known: no other could come by then. The last one
also where trajectories go by cost."""


@dataclass(frozen=True, eq=False)
class Run:
    """One experiment: (benchmark, method, seed) and what it found when."""

    directory: Path
    config: ExperimentConfig
    metadata: Mapping[str, Any]
    seed: int
    label: str
    """The method's name, followed by the tag where two tags have a method of that name."""
    trajectory: Trajectory
    """With several objectives of the regret that `measure` has."""
    arrivals: Floats
    """With several objectives each report that no earlier one dominated, (elapsed, losses), shape (n, 1 + m)."""
    trial_losses: Floats
    """The best loss of each trial that meets the constraints, shape (trials,), by trial id; +inf where there is none."""
    answered: bool
    """Has any report a finite result, whether or not it meets the constraints?"""
    reports: int
    end: float
    """Elapsed seconds up to which it is known what the experiment found; where a cost is named, what had been spent then."""
    finished: str | None
    """Why it is over; None where it is not."""
    hosts: frozenset[str]
    """The machines its tuner ran on."""
    n_workers: Sequence[int]
    """Of its sessions, each time that it changed; empty where the log does not say."""
    steered: bool
    """Has somebody stopped a trial of it, or held it?"""
    measure: Measure | None = None
    """What its front is measured by, with others of its benchmark; None where there is one objective."""

    @property
    def status(self) -> str:
        """`complete`; `failed`, where it is over without one finite result; `not complete`."""
        if self.finished is None:
            return "not complete"
        return "complete" if self.answered else "failed"

    @property
    def benchmark(self) -> str:
        """The benchmark's name."""
        return self.config.benchmark.name

    @property
    def objective(self) -> Objective:
        """What its trajectory shows."""
        return self.config.objective if self.measure is None else REGRET

    @property
    def cost(self) -> str | None:
        """The metric that trajectories go by in place of time, where one is named: what all trials have cost together."""
        return self.config.benchmark.cost_attr

    @property
    def limit(self) -> float | None:
        """Of what trajectories go by: the budget."""
        return self.config.max_wallclock_time if self.cost is None else self.config.max_cost


Loaded = tuple[list[Run], list[str]]
"""Experiments, and warnings about those that have no events here."""


def load_runs(places: Iterable[str | Path]) -> Loaded:
    """All experiments in some directories or of some tags under outputs/, each once.

    Returns:
        the experiments, and a warning for each that has no events here.

    Raises:
        StoreError: a place holds no experiment, or one is damaged.
        ConfigError: no place is named.
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


def _measured(runs: Sequence[Run]) -> list[Run]:
    """The experiments, those with several objectives with regrets; those that have the same are measured together."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, run in enumerate(runs):
        if run.config.objective.aims:
            benchmark = run.config.benchmark
            groups[repr((benchmark.name, benchmark.objectives, benchmark.reference_point))].append(index)
    found = list(runs)
    for members in groups.values():
        group = [runs[index] for index in members]
        measure = measure_of(group[0].config, [run.metadata for run in group], [run.arrivals[:, 1:] for run in group])
        for index, run in zip(members, group, strict=True):
            path = measure.trajectory(run.arrivals[:, 0], run.arrivals[:, 1:])
            found[index] = dataclasses.replace(run, trajectory=path, measure=measure)
    return found


def _load(files: ExperimentDirectory, configs: dict[str, ExperimentConfig]) -> Run:
    config = _config(files.config, configs)
    with contextlib.closing(Store(files.events, read_only=True)) as store:
        facts = _fold(store.read(), config.objective)
    run = Run(
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
    """The stored configuration. Experiments that differ in the seed alone are parsed once: parsing takes 20 ms."""
    try:
        text = read_untrusted(path, MOST_CONFIG).decode()
    except (OSError, UnicodeDecodeError):
        return read_config(path)  # says in one sentence what is wrong
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
                if (front := extended(before, point)) is not before:
                    arrivals.append((now, *outcome.losses))
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
    }
