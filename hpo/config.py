"""The typed configuration: one schema for Hydra's composition, for stored experiments and for the Python API.

Hydra merges the YAML groups into `ExperimentConfig`, so that a misspelt key is an error that names it. `resolve` then
fills in what the benchmark provides and checks what concerns several keys at once.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hpo.errors import ConfigError
from hpo.mistakes import in_words
from hpo.names import check_names
from hpo.nearest import choose
from hpo.objective import Objective
from hpo.randomness import Randomness
from hpo.space import SearchSpace, parse_space
from hpo.validity import check
from hpo.yamlfile import dump_yaml
from hpo.yamlguard import check_kinds, one_sentence, read_stored, read_yaml

_HERE = Path(__file__).parent
CONF_DIR = next(p for p in (_HERE / "conf", _HERE.parent / "conf") if p.is_dir())
"""The YAML groups: inside the package when installed from a wheel, beside it in a source tree."""


BUDGET_KEYS = ("max_wallclock_time", "max_num_trials", "max_num_evaluations", "target_value")
"""What ends an experiment; more of it goes on where it ended."""


class Mode(Enum):
    """Direction of the metric."""

    min = "min"
    max = "max"


class ReportChannel(Enum):
    """How a script reports."""

    file = "file"
    """JSON lines appended to HPO_REPORT_FILE, by `hpo.report` or by any program."""
    syne_tune = "syne_tune"
    """`[tune-metric]: {json}` lines on standard output."""


@dataclass
class BenchmarkConfig:
    """A training program, what it reports and what is tuned: conf/benchmark/<name>.yaml."""

    name: str = MISSING
    metric: str = MISSING
    mode: Mode = MISSING
    script: str | None = None
    command: list[str] | None = None
    resource_attr: str | None = None
    max_resource_attr: str | None = None
    config_space: dict[str, Any] = MISSING
    arguments: dict[str, Any] = field(default_factory=dict)
    arguments_as_json: bool = False
    points_to_evaluate: list[dict[str, Any]] | None = None
    n_workers: int = 1
    max_wallclock_time: float | None = None
    max_num_trials: int | None = None
    max_num_evaluations: int | None = None
    num_gpus_per_trial: int = 1
    preload: list[str] | None = field(default_factory=list)
    report_channel: ReportChannel = ReportChannel.file
    checkpoint_argument: str | None = None
    data: str | None = None
    table: str | None = None
    instance_type: str | None = None
    framework: str | None = None


@dataclass
class MethodConfig:
    """A searcher and a scheduler: conf/method/<name>.yaml."""

    name: str = MISSING
    searcher: dict[str, Any] = MISSING
    scheduler: dict[str, Any] = MISSING


@dataclass
class ExperimentConfig:
    """One experiment: benchmark, method, seed, and how it is run. The defaults are those of conf/config.yaml."""

    benchmark: BenchmarkConfig = field(default_factory=BenchmarkConfig)
    method: MethodConfig = field(default_factory=MethodConfig)
    backend: dict[str, Any] = field(default_factory=lambda: {"name": "auto"})
    launcher: dict[str, Any] = field(default_factory=dict)
    experiment_tag: str = MISSING
    seed: int = 0
    start_seed: int = 0
    num_seeds: int = 1
    random_seed: int | None = None
    n_workers: int | None = None
    max_wallclock_time: float | None = None
    max_num_trials: int | None = None
    max_num_evaluations: int | None = None
    target_value: float | None = None
    scale_max_wallclock_time: bool = False
    num_gpus_per_trial: int | None = None
    gpus_to_use: list[int] | None = None
    max_size_data_for_model: int = 500
    delete_checkpoints: bool = False
    remote_tuning_metrics: bool = True
    use_long_tuner_name_prefix: bool = True
    max_failures: int = 3
    trial_timeout: float | None = None
    trial_silence_timeout: float | None = None
    grace_period_seconds: float = 30.0
    max_log_megabytes: float | None = 100.0
    max_checkpoint_gigabytes: float | None = None
    overwrite: bool = False
    resume: bool = True
    callbacks: dict[str, Any] = field(default_factory=dict)
    trusted_modules: list[str] = field(default_factory=list)

    @property
    def simulated(self) -> bool:
        """Does it run from a table: asked for, or because the benchmark has a table and no program?"""
        name = self.backend.get("name")
        has_program = self.benchmark.script is not None or self.benchmark.command is not None
        return name == "simulated" or (name == "auto" and self.benchmark.table is not None and not has_program)

    @property
    def objective(self) -> Objective:
        """What the benchmark's reports mean."""
        return Objective(self.benchmark.metric, self.benchmark.mode.value, self.benchmark.resource_attr)

    @property
    def randomness(self) -> Randomness:
        """The random streams of the experiment, which has its random_seed."""
        assert self.random_seed is not None
        return Randomness(self.random_seed, self.seed)

    @property
    def space(self) -> SearchSpace:
        """The parsed search space."""
        return parse_space(self.benchmark.config_space)

    @property
    def max_resource(self) -> int | None:
        """The value that the benchmark gives to the script's `max_resource_attr`; None where it has none."""
        name = self.benchmark.max_resource_attr
        if name is None:
            return None
        constants = {k: v for k, v in self.benchmark.config_space.items() if not isinstance(v, Mapping)}
        value = {**constants, **self.benchmark.arguments}.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(
                f"benchmark.max_resource_attr={name}: benchmark.arguments.{name} is {value!r}; give it a positive whole "
                f"number, the resource of a full training"
            )
        return value


def resolve(config: ExperimentConfig) -> ExperimentConfig:
    """A copy with every value decided: benchmark defaults filled in, cross-checks done. Resolving twice changes nothing.

    Raises:
        ConfigError: naming key, value and remedy.
    """
    benchmark = config.benchmark
    wallclock = config.max_wallclock_time
    if wallclock is None and benchmark.max_wallclock_time is not None:
        wallclock = benchmark.max_wallclock_time
        if config.scale_max_wallclock_time and config.n_workers is not None:
            # Fewer workers than the benchmark is meant for get proportionally more time; more get no less.
            wallclock *= benchmark.n_workers / min(max(config.n_workers, 1), benchmark.n_workers)

    def given(value: Any, default: Any) -> Any:
        return default if value is None else value

    resolved = replace(
        config,
        max_wallclock_time=wallclock,
        n_workers=given(config.n_workers, benchmark.n_workers),
        max_num_trials=given(config.max_num_trials, benchmark.max_num_trials),
        max_num_evaluations=given(config.max_num_evaluations, benchmark.max_num_evaluations),
        num_gpus_per_trial=given(config.num_gpus_per_trial, benchmark.num_gpus_per_trial),
    )
    check(resolved)
    return resolved


def to_config(node: Any) -> ExperimentConfig:
    """The typed configuration from a composed or stored one.

    Raises:
        ConfigError: a key is unknown, missing or of the wrong type.
    """
    with one_sentence():
        try:
            config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(ExperimentConfig), node))
        except OmegaConfBaseException as error:
            raise ConfigError(in_words(error, ExperimentConfig)) from error
    assert isinstance(config, ExperimentConfig)
    check_kinds(config)
    return config


def to_yaml(config: ExperimentConfig) -> str:
    """The text of experiment.yaml: reading it back gives an equal configuration."""
    try:
        return dump_yaml(_plain(asdict(config)))
    except UnicodeEncodeError as error:
        raise ConfigError(f"{error.object[:200]!r}: is not UTF-8 text, which experiment.yaml is") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def read_config(path: Path) -> ExperimentConfig:
    """The configuration stored at `path`.

    Raises:
        ConfigError: it cannot be read as one.
    """
    config = to_config(read_stored(path))
    check_names(config.benchmark.name, config.method.name, config.experiment_tag)
    return config


def load_group(group: str, name: str) -> Any:
    """The YAML file `name` of conf/`group`, without Hydra.

    Raises:
        ConfigError: there is none; the message lists those there are.
    """
    path = CONF_DIR / group / f"{name}.yaml"
    if not path.is_file():
        names = sorted(p.stem for p in (CONF_DIR / group).glob("*.yaml"))
        raise ConfigError(f"{group}={name!r}: there is no such {group}{choose(name, names)}")
    return read_yaml(path)


def load_config(
    benchmark: str | Mapping[str, Any],
    method: str | Mapping[str, Any],
    *,
    seed: int = 0,
    experiment_tag: str = "python",
    **overrides: Any,
) -> ExperimentConfig:
    """An experiment's configuration from Python, without Hydra.

    Args:
        benchmark: a name in conf/benchmark, or what such a file contains.
        method: likewise for conf/method.
        seed: the seed number.
        experiment_tag: the tag.
        **overrides: top-level keys, and dotted ones in a dictionary: `**{"method.scheduler.reduction_factor": 4}`.

    Raises:
        ConfigError: a name, key or value is wrong.
    """
    parts = {
        group: load_group(group, choice) if isinstance(choice, str) else dict(choice)
        for group, choice in (("benchmark", benchmark), ("method", method))
    }
    with one_sentence():
        node = OmegaConf.create({**parts, "seed": seed, "experiment_tag": experiment_tag})
        for key, value in overrides.items():
            OmegaConf.update(node, key, value, force_add=True)
    return to_config(node)
