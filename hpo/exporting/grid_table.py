"""Tables for simulation, made from finished experiments that trained a grid."""

from collections.abc import Mapping, Sequence
from enum import Enum
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.errors import ConfigError
from hpo.events.types import Kind
from hpo.results.experiment import Experiment
from hpo.tables.table import Table


class _Absent(Enum):
    NOT_USED = "marks a hyperparameter that is not used"


def table_of(
    experiments: Sequence[Experiment],
    name: str,
    provenance: str,
    *,
    seconds: str | None = None,
    include_steered: bool = False,
) -> Table:
    """Return the table recorded by finished GRID experiments of one benchmark, one experiment per seed.

    A training that diverged and ended early keeps its last values to the end. Seconds are rounded to about a
    microsecond.

    Args:
        experiments: One experiment per seed.
        name: Name of the table.
        provenance: Origin of the table, in words.
        seconds: Metric that holds elapsed seconds, instead of the clock; it is then not a metric of the table.
        include_steered: Whether to accept experiments that were steered.

    Raises:
        ConfigError: Experiments are unfinished or do not belong together, or `seconds` is not a time.
    """
    first = experiments[0]
    benchmark = first.config.benchmark
    limit = first.config.max_resource
    if limit is None or benchmark.named_resource is None:
        raise ConfigError("a table needs benchmark.resource_attr and benchmark.max_resource_attr")
    for experiment in experiments:
        if experiment.config.benchmark != benchmark or experiment.config.random_seed != first.config.random_seed:
            raise ConfigError(f"{experiment.directory}: is of another benchmark or random_seed than {first.directory}")
        if experiment.state.steering.marks and not include_steered:
            raise ConfigError(
                f"{experiment.directory}: it was steered while it ran, and a stopped trial keeps its last values to the end; "
                "--include-steered records it all the same"
            )
    trainings = [_trainings(experiment, limit) for experiment in experiments]
    keys = sorted(set.intersection(*(set(found) for found in trainings)), key=str)
    most = max(len(found) for found in trainings)
    if len(keys) < most or not keys:
        raise ConfigError(f"{len(keys)} of {most} configurations are recorded for all seeds; record the rest first")
    columns = {}
    for i, hyperparameter in enumerate(first.config.space.domains):
        if used := [key[i] for key in keys if key[i] is not _Absent.NOT_USED]:
            columns[hyperparameter] = np.array([used[0] if key[i] is _Absent.NOT_USED else key[i] for key in keys])
    cells = [[found[key] for found in trainings] for key in keys]
    reported = sorted(set.intersection(*(set(metrics) for row in cells for metrics, _ in row)))
    if seconds is not None:
        _check_seconds(seconds, [cell[0].get(seconds, []) for row in cells for cell in row])
    about = {
        "name": name,
        "config_space": _ordinals(first, columns),
        "metric": benchmark.metric,
        "mode": benchmark.mode.value,
        "resource_attr": benchmark.named_resource,
        "max_resource": limit,
        "metrics": [metric for metric in reported if metric != seconds],
        "recorded_with": {"random_seed": first.config.random_seed, "seeds": [e.config.seed for e in experiments]},
        "provenance": provenance,
        "licence": "CC0-1.0",
        "data_label": "recorded",
    }
    metrics = {m: np.array([[cell[0][m] for cell in row] for row in cells], dtype=np.float64) for m in reported}
    clock = np.array([[elapsed for _, elapsed in row] for row in cells])
    elapsed = clock if seconds is None else metrics.pop(seconds)
    # Rounded to a power of two, so that the last bits are zeros and compress well.
    return Table(about, columns, metrics, np.round(elapsed * 2**20) / 2**20)


def _check_seconds(metric: str, curves: Sequence[Sequence[float]]) -> None:
    """Raise ConfigError unless every training reported the metric, at least 0 and never decreasing."""
    for curve in curves:
        if not curve:
            raise ConfigError(f"seconds={metric}: not every training has reported it; name one that the script reports")
        if not (curve[0] >= 0 and all(later >= earlier for earlier, later in pairwise(curve))):
            raise ConfigError(
                f"seconds={metric}: it falls in a training, or is not a number; name one that adds seconds up"
            )


def _trainings(experiment: Experiment, limit: int) -> dict[tuple[Any, ...], tuple[dict[str, list[float]], list[float]]]:
    """Map a configuration's values to (every number reported, seconds) after each unit of resource."""
    resource_attr = experiment.config.benchmark.named_resource
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
        values = tuple(configuration.get(name, _Absent.NOT_USED) for name in experiment.config.space.domains)
        found[values] = {name: column for name, column in metrics.items() if len(column) == limit}, seconds
    return found


def _ordinals(experiment: Experiment, columns: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return the recorded search space: every numeric hyperparameter as the list of its recorded values."""
    space: dict[str, dict[str, Any]] = {}
    for name, spec in experiment.config.benchmark.config_space.items():
        if name not in columns:
            continue
        kind = "choice" if spec["type"] == "choice" else "ordinal"
        present = set(columns[name].tolist())
        listed = spec.get("values")
        space[name] = {"type": kind, "values": [v for v in listed if v in present] if listed else sorted(present)}
        if conditions := experiment.config.space.conditions.get(name):
            space[name]["when"] = {c.gate: [v for v in space[c.gate]["values"] if c.holds(v)] for c in conditions}
    return space
