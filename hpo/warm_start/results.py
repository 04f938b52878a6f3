"""Results of earlier experiments in one file, `warm_start.jsonl`, in the directory of the experiment that starts from them.

The file has one JSON line for each earlier experiment, followed by one for each of its results. The hyperparameters of a
search space keep their order, because a condition refers only to hyperparameters above it.

    {"source": "first", "experiment": "b-first/b/ASHA/seed_0", "events": 412, "config_space": {…}, "constants": {…}, …}
    {"configuration": {"lr": 0.1}, "metrics": {"epoch": 3, "loss": 0.2}, "resource": 3, "trial": 0}

Once the experiment has started, only this file is read, so that later changes to the sources have no effect.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError, StoreError
from hpo.events.objective import Objective, ReportError
from hpo.events.types import Configuration
from hpo.space.conditions import gates_first
from hpo.store.directory import ExperimentDirectory, json_object
from hpo.store.untrusted import MOST_EARLIER, read_untrusted


@dataclass(frozen=True, slots=True)
class EarlierResult:
    """One report of a trial of an earlier experiment."""

    trial: int
    """Id of the trial in its experiment."""
    configuration: Configuration
    resource: int
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class EarlierExperiment:
    """An earlier experiment: its benchmark, its search space and its results."""

    source: str
    """The entry of `warm_start` that named the experiment; one entry can name several experiments."""
    experiment: str
    """Name of the experiment, as tag/benchmark/method/seed_n."""
    events: int
    """Number of events in its log when it was read."""
    metric: str
    mode: str
    resource_attr: str | None
    max_resource: int | None
    config_space: Mapping[str, Any]
    constants: Mapping[str, Any]
    """Arguments that its program got in addition to the hyperparameters."""
    left_out: int = 0
    """Number of results left out because there were too many."""
    results: Sequence[EarlierResult] = field(default=(), repr=False)

    def losses(self) -> Iterator[float]:
        """Yield the loss of each result, lower is better; infinite if its metrics give none."""
        objective = Objective(self.metric, self.mode, self.resource_attr)
        for result in self.results:
            try:
                yield objective.loss(result.metrics)
            except ReportError:
                yield math.inf


def to_lines(experiments: Iterable[EarlierExperiment]) -> bytes:
    """Return the contents of a `warm_start.jsonl` file with these experiments."""
    lines = []
    for experiment in experiments:
        head = {key: value for key, value in vars(experiment).items() if key != "results"}
        lines += [_in_order(head), *(_sorted(asdict(result)) for result in experiment.results)]
    return "".join(f"{line}\n" for line in lines).encode()


def from_lines(content: bytes, path: Path) -> list[EarlierExperiment]:
    """Parse the contents of a `warm_start.jsonl` file, including older files whose hyperparameters are sorted by name.

    Args:
        content: Contents of the file.
        path: Path of the file, for error messages.

    Raises:
        ConfigError: The contents are not those of such a file.
    """
    heads: list[dict[str, Any]] = []
    number = 0
    try:
        for number, line in enumerate(content.decode().splitlines(), 1):  # noqa: B007
            row = json_object(line)
            if "source" in row:
                heads.append({**row, "results": []})
            else:
                heads[-1]["results"].append(_result(row))
        return [_experiment(head) for head in heads]
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ConfigError(
            f"{path}: is not a warm_start.jsonl as hpo writes it (line {number}: {error}); name the experiment it came from"
        ) from error


def _result(row: Mapping[str, Any]) -> EarlierResult:
    result = EarlierResult(**row)
    if not isinstance(result.configuration, dict) or not isinstance(result.metrics, dict):
        raise ValueError("no configuration")
    if type(result.resource) is not int or result.resource < 1 or type(result.trial) is not int:
        raise ValueError("no resource")
    return result


def _experiment(head: dict[str, Any]) -> EarlierExperiment:
    made = EarlierExperiment(**{**head, "config_space": gates_first(head["config_space"])})
    for name in ("source", "experiment", "metric", "mode"):
        if not isinstance(head[name], str):
            raise ValueError(f"no {name}")
    if not isinstance(made.config_space, dict) or not isinstance(made.constants, dict):
        raise ValueError("no config_space")
    return made


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 by which an experiment recognises its copy of earlier results."""
    return hashlib.sha256(content).hexdigest()


def read_copy(config: ExperimentConfig, directory: Path) -> list[EarlierExperiment]:
    """Read the earlier results that an experiment has copied into its directory; empty if it uses none.

    Raises:
        StoreError: The copy is missing, or its contents have changed.
    """
    if not config.warm_start or config.warm_start_sha256 is None:
        return []
    path = ExperimentDirectory(directory).warm_start
    remedy = "put it back, or pass overwrite=true to start again"
    try:
        content = read_untrusted(path, MOST_EARLIER)
    except FileNotFoundError:
        raise StoreError(
            f"{path}: is gone, and the experiment has started from its earlier results; {remedy}"
        ) from None
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror or error}); {remedy}") from error
    if sha256_of(content) != config.warm_start_sha256:
        raise StoreError(f"{path}: is not what the experiment has started from, its SHA-256 is another; {remedy}")
    return from_lines(content, path)


_in_order = json.JSONEncoder(separators=(",", ":")).encode
_sorted = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
