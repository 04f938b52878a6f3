"""What earlier experiments have measured, in one file: `warm_start.jsonl` in the directory of the experiment that uses it.

A line for each earlier experiment, and after it one for each of its results, in canonical JSON:

    {"config_space": {…}, "constants": {…}, "events": 412, "experiment": "b-first/b/ASHA/seed_0", "left_out": 0, …}
    {"configuration": {"lr": 0.1}, "metrics": {"epoch": 3, "loss": 0.2}, "resource": 3, "trial": 0}

From the start on only this file is read: what becomes of the sources changes nothing.
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
from hpo.events.values import Configuration
from hpo.store.directory import ExperimentDirectory, json_object
from hpo.store.untrusted import MOST_EARLIER, read_untrusted


@dataclass(frozen=True, slots=True)
class EarlierResult:
    """A report of an earlier trial."""

    trial: int
    """Its number in its experiment."""
    configuration: Configuration
    resource: int
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class EarlierExperiment:
    """What is known of an earlier experiment."""

    source: str
    """What `warm_start` names it by; several experiments can belong to one source."""
    experiment: str
    """tag/benchmark/method/seed_n."""
    events: int
    """So many its log had when it was read."""
    metric: str
    mode: str
    resource_attr: str | None
    max_resource: int | None
    config_space: Mapping[str, Any]
    constants: Mapping[str, Any]
    """What its program got besides."""
    left_out: int = 0
    """Results that were too many."""
    results: Sequence[EarlierResult] = field(default=(), repr=False)

    def losses(self) -> Iterator[float]:
        """Of each result, lower is better; infinite where it is none."""
        objective = Objective(self.metric, self.mode, self.resource_attr)
        for result in self.results:
            try:
                yield objective.loss(result.metrics)
            except ReportError:
                yield math.inf


def to_lines(experiments: Iterable[EarlierExperiment]) -> bytes:
    """The content of the file."""
    lines = []
    for experiment in experiments:
        head = {key: value for key, value in vars(experiment).items() if key != "results"}
        lines += [_dumps(head), *(_dumps(asdict(result)) for result in experiment.results)]
    return "".join(f"{line}\n" for line in lines).encode()


def from_lines(content: bytes, path: Path) -> list[EarlierExperiment]:
    """The experiments in the content of such a file.

    Args:
        content: of the file.
        path: for messages.

    Raises:
        ConfigError: it is none.
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
            f"{path}: is no warm_start.jsonl as hpo writes it (line {number}: {error}); name the experiment it came from"
        ) from error


def _result(row: Mapping[str, Any]) -> EarlierResult:
    result = EarlierResult(**row)
    if not isinstance(result.configuration, dict) or not isinstance(result.metrics, dict):
        raise ValueError("no configuration")
    if type(result.resource) is not int or result.resource < 1 or type(result.trial) is not int:
        raise ValueError("no resource")
    return result


def _experiment(head: dict[str, Any]) -> EarlierExperiment:
    made = EarlierExperiment(**head)
    for name in ("source", "experiment", "metric", "mode"):
        if not isinstance(head[name], str):
            raise ValueError(f"no {name}")
    if not isinstance(made.config_space, dict) or not isinstance(made.constants, dict):
        raise ValueError("no config_space")
    return made


def sha256_of(content: bytes) -> str:
    """By which an experiment knows its copy."""
    return hashlib.sha256(content).hexdigest()


def read_copy(config: ExperimentConfig, directory: Path) -> list[EarlierExperiment]:
    """The earlier results that an experiment has copied; none where it starts without.

    Raises:
        StoreError: the copy is gone, or is not what was copied.
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


_dumps = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
