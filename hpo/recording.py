"""`hpo record`: a benchmark's grid, trained for real once per seed, and the table of what the trials reported.

Each seed is one experiment with the method GRID, so that recording is resumable and parallel as any experiment. A seed's
trainings get the training seeds that real experiments with the same master seed and seed number give their trials: a
simulated experiment with these seeds then sees exactly what a real one would.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo import cli
from hpo.assembly import scheduler_of
from hpo.composition import is_plain
from hpo.config import resolve
from hpo.errors import ConfigError, ExperimentError
from hpo.progress import say
from hpo.results import Experiment, find_experiments, load_experiment
from hpo.searchers import GridSearcher
from hpo.tables.table import Table
from hpo.trial import Kind

UNLIMITED = "max_wallclock_time=1.0e9"


def record(output: Path, overrides: Sequence[str]) -> None:
    """Record the grid of the benchmark that `overrides` compose into OUTPUT.yaml and OUTPUT.npz.

    Raises:
        ExperimentError: a training could not be done; run it again to go on.
        HPOError: from the experiments.
    """
    tag = f"record-{output.name}".replace("_", "-")
    fixed = ["method=GRID", "backend=local", UNLIMITED, f"experiment_tag={tag}", "benchmark.points_to_evaluate=[]"]
    if not any(word.startswith("random_seed=") for word in overrides):
        fixed.append("random_seed=0")
    _announce(output, [*overrides, *fixed])
    if cli.main([*overrides, *fixed]) != 0:
        raise ExperimentError(
            f"not all of the grid could be trained; see outputs/{tag}, mend it and run the command again"
        )
    command = " ".join(["hpo record", str(output), *overrides])
    table = table_of(
        [load_experiment(place) for place in find_experiments(tag)], output.name, f"recorded by: {command}"
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    table.save(output)
    rows, seeds, resources = table.seconds.shape
    say(f"{output}.npz: {rows} configurations x {seeds} trainings x {resources}; best final value {table.optimum:.6g}")


def _announce(output: Path, arguments: Sequence[str]) -> None:
    """Say how much is to be trained: a grid grows with every hyperparameter, soon to what nobody can wait for.

    Raises:
        ConfigError: an override is wrong.
    """
    if not is_plain(arguments):
        return  # Hydra's own sweepers and launchers; only they know the experiments
    configs = [resolve(job.config) for job in cli.compose_jobs(arguments)]
    searcher = scheduler_of(configs[0]).searcher
    if not isinstance(searcher, GridSearcher):
        return  # a method of the user's that is called GRID
    grid, limit = searcher.grid_size, configs[0].max_num_trials
    values = configs[0].method.searcher.get("num_samples")
    cut = f", of which max_num_trials={limit} are trained" if limit is not None and limit < grid else ""
    say(
        f"{output}: {len(configs) * min(grid, limit or grid):,} trainings in all: {grid:,} configurations x {len(configs)} "
        f"seed(s){cut}; for fewer lower method.searcher.num_samples={values}, the values per numeric hyperparameter, or list "
        f"values with type: ordinal"
    )


def table_of(experiments: Sequence[Experiment], name: str, provenance: str) -> Table:
    """The table of what complete GRID experiments of one benchmark, one per seed, have recorded.

    A training that ended early, for it diverged, keeps its last values to the end.

    Raises:
        ConfigError: they are incomplete or do not belong together.
    """
    first = experiments[0]
    benchmark = first.config.benchmark
    limit = first.config.max_resource
    if limit is None or benchmark.resource_attr is None:
        raise ConfigError("a table needs benchmark.resource_attr and benchmark.max_resource_attr")
    for experiment in experiments:
        if experiment.config.benchmark != benchmark or experiment.config.random_seed != first.config.random_seed:
            raise ConfigError(f"{experiment.directory}: is of another benchmark or random_seed than {first.directory}")
    trainings = [_trainings(experiment, limit) for experiment in experiments]
    keys = sorted(set.intersection(*(set(found) for found in trainings)), key=str)
    most = max(len(found) for found in trainings)
    if len(keys) < most or not keys:
        raise ConfigError(f"{len(keys)} of {most} configurations are recorded for all seeds; record the rest first")
    names = list(first.config.space.domains)
    columns = {n: np.array([key[i] for key in keys]) for i, n in enumerate(names)}
    cells = [[found[key] for found in trainings] for key in keys]
    reported = sorted(set.intersection(*(set(metrics) for row in cells for metrics, _ in row)))
    about = {
        "name": name,
        "config_space": _ordinals(first, columns),
        "metric": benchmark.metric,
        "mode": benchmark.mode.value,
        "resource_attr": benchmark.resource_attr,
        "max_resource": limit,
        "metrics": reported,
        "recorded_with": {"random_seed": first.config.random_seed, "seeds": [e.config.seed for e in experiments]},
        "provenance": provenance,
        "licence": "CC0-1.0",
        "data_label": "recorded",
    }
    metrics = {m: np.array([[cell[0][m] for cell in row] for row in cells], dtype=np.float64) for m in reported}
    return Table(about, columns, metrics, np.array([[seconds for _, seconds in row] for row in cells]))


def _trainings(experiment: Experiment, limit: int) -> dict[tuple[Any, ...], tuple[dict[str, list[float]], list[float]]]:
    """Configuration's values -> (every number reported, seconds) after each unit of resource."""
    resource_attr = experiment.config.benchmark.resource_attr
    rows: dict[int, dict[int, tuple[Mapping[str, Any], float]]] = {}
    began: dict[int, float] = {}
    last: dict[int, float] = {}
    for event in experiment.events:
        if event.trial is None:
            continue
        if event.kind in (Kind.STARTED, Kind.RESTARTED, Kind.RESUMED):
            began[event.trial] = event.elapsed - last.get(event.trial, 0.0)
        elif event.kind == Kind.REPORTED and event.resource is not None:
            last[event.trial] = event.elapsed - began[event.trial]
            rows.setdefault(event.trial, {})[event.resource] = event.body["metrics"], last[event.trial]
    found = {}
    for trial_id, reports in rows.items():
        metrics: dict[str, list[float]] = {}
        seconds: list[float] = []
        current = reports[min(reports)]
        for resource in range(1, limit + 1):
            current = reports.get(resource, current)
            seconds.append(current[1])
            for name, value in current[0].items():
                if isinstance(value, int | float) and not isinstance(value, bool) and name != resource_attr:
                    metrics.setdefault(name, []).append(float(value))
        configuration = experiment.state.trials[trial_id].trial.configuration
        found[tuple(configuration.values())] = {n: v for n, v in metrics.items() if len(v) == limit}, seconds
    return found


def _ordinals(experiment: Experiment, columns: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """The space that was recorded: every numeric hyperparameter as the list of its recorded values."""
    space = {}
    for name, spec in experiment.config.benchmark.config_space.items():
        if name not in columns:
            continue
        kind = "choice" if spec["type"] == "choice" else "ordinal"
        present = set(columns[name].tolist())
        listed = spec.get("values")
        space[name] = {"type": kind, "values": [v for v in listed if v in present] if listed else sorted(present)}
    return space
