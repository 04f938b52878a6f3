"""Tabular benchmarks: recorded metrics and training seconds, by configuration, seed and resource.

A table consists of two files of the same name. `NAME.yaml` describes it:

    name, config_space (finite domains), metric, mode, resource_attr, max_resource, metrics,
    provenance, licence, data_label (recorded, semi-synthetic or synthetic), cumulative (metrics that grow with the resource)

`NAME.npz` contains plain arrays (never objects):

    hp_<hyperparameter>  (N,)        value in each configuration; any of its values where it is not used
    metric_<metric>      (N, S, R)   after each unit of resource, for each of S trainings; (N, S, 1): final values only
    seconds              (N, S, R)   training time up to there; (N, S, 1): of the whole training

If only final values are known, `hpo.tables.synthetic_curves` makes learning curves of the metric. Other metrics grow in
proportion to the resource if they are cumulative, such as a training time. The rest, such as a model's size, are constant.
"""

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from hpo.config.yaml_files import one_line
from hpo.errors import ConfigError
from hpo.events.outcome import Constraint
from hpo.events.types import Configuration
from hpo.randomness import Randomness
from hpo.space.search_space import SearchSpace, parse_space
from hpo.store.atomic_files import write_atomically
from hpo.surrogate.arrays import Flags, Floats
from hpo.surrogate.hypervolume import front_of
from hpo.tables.recorded_training import RecordedTraining
from hpo.tables.synthetic_curves import Curves


@dataclass(frozen=True)
class Table:
    """A tabular benchmark in memory.

    Raises:
        ConfigError: The arrays do not match the description, or cells are missing.
    """

    about: Mapping[str, Any]
    hyperparameters: Mapping[str, NDArray[Any]]
    metrics: Mapping[str, Floats]
    seconds: Floats
    name: str = field(init=False)
    _synthesised: dict[int, Floats] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", str(self.about["name"]))
        shapes = {f"metric_{name}": values.shape for name, values in self.metrics.items()}
        shapes |= {
            f"hp_{name}": (len(values), *self.seconds.shape[1:]) for name, values in self.hyperparameters.items()
        }
        for name, shape in shapes.items():
            if shape != self.seconds.shape:
                raise ConfigError(f"table {self.name}: {name} has the shape {shape}, seconds {self.seconds.shape}")
        if set(self.hyperparameters) != set(self.space.domains):
            raise ConfigError(f"table {self.name}: its hyperparameters and its config_space do not have the same names")
        if self.about["metric"] not in self.metrics:
            raise ConfigError(f"table {self.name}: it has no metric {self.about['metric']!r}")
        if missing := int(np.isnan(self.seconds).sum()):
            raise ConfigError(
                f"table {self.name}: {missing} of {self.seconds.size} cells are missing; record them first"
            )
        if len(self._rows) != len(self.seconds):
            raise ConfigError(f"table {self.name}: a configuration occurs twice")

    @cached_property
    def space(self) -> SearchSpace:
        """The search space of the table's configurations."""
        return parse_space(self.about["config_space"])

    @property
    def max_resource(self) -> int:
        """The resource of a full training."""
        return int(self.about["max_resource"])

    @property
    def data_label(self) -> str:
        """The origin of the data: `recorded`, `semi-synthetic` or `synthetic`."""
        return str(self.about.get("data_label", "recorded"))

    @cached_property
    def cumulative(self) -> frozenset[str]:
        """Names of the metrics that grow in proportion to the resource."""
        return frozenset(self.about.get("cumulative", ()))

    def check_space(self, space: SearchSpace) -> None:
        """Raise ConfigError unless the table contains every configuration of `space`."""
        for name, domain in space.domains.items():
            known = self._axes.get(name)
            if known is None or domain.size > len(known):
                raise ConfigError(
                    f"config_space.{name}: the table {self.name} does not have it, or not all of its values"
                )
            for value in domain.values(int(domain.size)):
                if value not in known:
                    raise ConfigError(f"config_space.{name}: the table {self.name} has no results for {value!r}")
            if name in space.conditions:
                self._check_conditions(space, name)
        if missing := sorted(set(self._axes) - set(space.domains)):
            raise ConfigError(f"config_space: the table {self.name} also has {', '.join(missing)}; add it")

    def _check_conditions(self, space: SearchSpace, name: str) -> None:
        """Raise ConfigError unless the table has results for configurations that do not use a hyperparameter."""
        if name in space.otherwise and space.otherwise[name] in self._axes[name]:
            return
        own = {condition.gate: condition for condition in self.space.conditions.get(name, ())}
        given = {condition.gate: condition for condition in space.conditions[name]}
        for gate, condition in given.items():
            domain = space.domains[gate]
            for value in domain.values(int(domain.size)):
                if not condition.holds(value) and (gate not in own or own[gate].holds(value)):
                    raise ConfigError(
                        f"config_space.{name}.when.{gate}: the table {self.name} needs {name} where {gate}={value!r} all the "
                        f"same; give one of its values as config_space.{name}.otherwise, or remove the condition"
                    )

    @cached_property
    def _axes(self) -> dict[str, dict[Any, int]]:
        """Index of each value in its domain, by hyperparameter."""
        values = {name: domain.values(int(domain.size)) for name, domain in self.space.domains.items()}
        return {name: {value: index for index, value in enumerate(listed)} for name, listed in values.items()}

    @cached_property
    def _rows(self) -> dict[tuple[int, ...], int]:
        """Row of each configuration in the arrays, by the indices of its values."""
        listed = {name: self.hyperparameters[name].tolist() for name in self._axes}
        for name, axis in self._axes.items():
            if odd := [value for value in listed[name] if value not in axis]:
                raise ConfigError(f"table {self.name}: {name}={odd[0]!r} does not lie in its config_space")
        if not self.space.conditions:
            columns = [[axis[value] for value in listed[name]] for name, axis in self._axes.items()]
            return {indices: row for row, indices in enumerate(zip(*columns, strict=True))}
        keys = (self._key(dict(zip(listed, values, strict=True))) for values in zip(*listed.values(), strict=True))
        return {key: row for row, key in enumerate(keys)}

    def _key(self, values: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the indices of a configuration's values; -1 for hyperparameters that are not used, whatever is given."""
        if not self.space.conditions:
            return tuple([axis[values[name]] for name, axis in self._axes.items()])
        used = set(self.space.used_names(values))
        return tuple([axis[values[name]] if name in used else -1 for name, axis in self._axes.items()])

    def row(self, configuration: Configuration) -> int:
        """Return the row of a configuration in the arrays.

        Raises:
            ConfigError: The configuration is not in the table.
        """
        try:
            return self._rows[self._key(configuration)]
        except KeyError as error:
            raise ConfigError(f"table {self.name}: the configuration {dict(configuration)} is not in it") from error

    def replicate(self, randomness: Randomness, configuration: Configuration) -> int:
        """Return the index of the recorded training that an experiment sees.

        It is the experiment's own if the table was recorded with its seeds. Otherwise it follows from the configuration's
        training seed, and is the same for all methods.
        """
        own = self.about.get("recorded_with", {})
        if own.get("random_seed") == randomness.random_seed and randomness.seed in own.get("seeds", ()):
            return int(own["seeds"].index(randomness.seed))
        return randomness.training_seed(configuration) % len(self.seconds[0])

    def look_up(
        self, configuration: Configuration, replicate: int, *, silent: Collection[str] = ()
    ) -> RecordedTraining:
        """Return one recorded training of a configuration.

        Args:
            configuration: Configuration to look up.
            replicate: Index of the recorded training, from 0.
            silent: Metrics to leave out.
        """
        row = self.row(configuration)
        final = {name: array.item(row, replicate, -1) for name, array in self.metrics.items() if name not in silent}
        if not self._is_synthetic:
            recorded = {name: self.metrics[name][row, replicate] for name in final}
            return RecordedTraining(final, recorded, self.seconds[row, replicate])
        if replicate not in self._synthesised:
            self._synthesised[replicate] = self._curves.of_replicate(replicate)
        curves = {name: final[name] * self._shares for name in self.cumulative if name in final}
        curves[self.about["metric"]] = self._synthesised[replicate][row]
        return RecordedTraining(final, curves, self.seconds.item(row, replicate, -1) * self._shares)

    def training(self, configuration: Configuration, replicate: int) -> tuple[dict[str, list[float]], list[float]]:
        """Return one training as lists: every metric after each unit of resource, and elapsed seconds; see `look_up`."""
        found = self.look_up(configuration, replicate)
        reports = [found.report(resource) for resource in range(1, self.max_resource + 1)]
        return {name: [report[name] for report in reports] for name in self.metrics}, found.seconds.tolist()

    @cached_property
    def _is_synthetic(self) -> bool:
        """Whether only final values are recorded, so that learning curves are synthesised."""
        return len(self.seconds[0, 0]) != self.max_resource

    @cached_property
    def _shares(self) -> Floats:
        return np.arange(1, self.max_resource + 1) / self.max_resource

    @cached_property
    def _curves(self) -> Curves:
        """The generator of synthetic learning curves, for tables of final values."""
        final = self.metrics[self.about["metric"]][:, :, -1]
        return Curves(self.name, self.space, self.hyperparameters, final, self.about["mode"], self.max_resource)

    def means(self, metric: str) -> Floats:
        """Return the final value of a metric for each configuration, averaged over its trainings, shape (N,)."""
        mean: Floats = self.metrics[metric][:, :, -1].mean(axis=1)
        return mean

    @cached_property
    def optimum(self) -> float:
        """The best final value of any configuration, averaged over its trainings; NaN if none is finite."""
        return self.optimum_within(())

    def optimum_within(self, constraints: Sequence[Constraint]) -> float:
        """Return the best mean final value of a configuration whose means satisfy the constraints; NaN if there is none."""
        final = self.means(self.about["metric"])
        finite = final[np.isfinite(final) & self._met(constraints)]
        if not len(finite):
            return float("nan")
        return float(finite.max() if self.about["mode"] == "max" else finite.min())

    def front(self, modes: Mapping[str, str], constraints: Sequence[Constraint] = ()) -> list[list[float]]:
        """Return the Pareto front of mean final values, ascending by the first objective.

        Args:
            modes: `min` or `max` for each objective.
            constraints: Constraints that the means must satisfy.
        """
        values = np.stack([self.means(metric) for metric in modes], axis=1)[self._met(constraints)]
        losses = values * np.array([-1.0 if mode == "max" else 1.0 for mode in modes.values()])
        found: list[list[float]] = sorted(values[front_of(losses)].tolist())
        return found

    def _met(self, constraints: Sequence[Constraint]) -> Flags:
        """Return which configurations satisfy the constraints by their means, shape (N,)."""
        met = np.ones(len(self.seconds), dtype=bool)
        for constraint in constraints:
            met &= np.array([constraint.excess(value) <= 0 for value in self.means(constraint.metric).tolist()])
        return met

    def save(self, path: Path) -> None:
        """Write the table to `path`.npz and `path`.yaml."""
        arrays = {f"hp_{name}": values for name, values in self.hyperparameters.items()}
        arrays |= {f"metric_{name}": _shortened(values) for name, values in self.metrics.items()}
        packed = io.BytesIO()
        np.savez_compressed(packed, allow_pickle=False, seconds=_shortened(self.seconds), **arrays)
        write_atomically(path.with_name(f"{path.name}.npz"), packed.getvalue())
        about = yaml.safe_dump(dict(self.about), sort_keys=False, allow_unicode=True, encoding="utf-8")
        write_atomically(path.with_name(f"{path.name}.yaml"), about)


def _shortened(values: Floats) -> NDArray[Any]:
    """Convert an array to single precision if that is lossless, which makes compressed files much smaller."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    return single if np.array_equal(single, values, equal_nan=True) else values


def read_table(path: Path) -> Table:
    """Read a table from `path`.yaml and `path`.npz.

    Raises:
        ConfigError: A file is missing or damaged, or the two do not match.
    """
    description, arrays = path.with_name(f"{path.name}.yaml"), path.with_name(f"{path.name}.npz")
    try:
        about = yaml.safe_load(description.read_text())
        with np.load(arrays, allow_pickle=False) as content:
            loaded = {name: content[name] for name in content.files}
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"table {path}: cannot be read ({error})") from error
    except Exception as error:  # zipfile and yaml raise exceptions of their own
        raise ConfigError(f"table {path}: is damaged ({one_line(error)})") from error
    needed = {"name", "config_space", "metric", "mode", "resource_attr", "max_resource"}
    if not isinstance(about, dict) or not needed <= about.keys() or "seconds" not in loaded:
        raise ConfigError(f"table {path}: lacks one of {', '.join(sorted(needed))}, or the array `seconds`")

    def part(prefix: str) -> dict[str, NDArray[Any]]:
        return {name.removeprefix(prefix): values for name, values in loaded.items() if name.startswith(prefix)}

    metrics = {name: values.astype(np.float64) for name, values in part("metric_").items()}
    return Table(about, part("hp_"), metrics, loaded["seconds"].astype(np.float64))
