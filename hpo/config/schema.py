"""The typed configuration: one schema for Hydra's composition, for stored experiments and for the Python API.

Hydra merges the YAML groups into `ExperimentConfig`, so that a misspelt key raises an error that names it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from omegaconf import MISSING

from hpo.config.budgets import budget_keys
from hpo.config.choices import (
    ArgumentStyle,
    CodeChanges,
    Mode,
    ReportChannel,
    Retry,
    WarmStartUse,
    WorkingDirectory,
)
from hpo.config.constraints import parse_constraints
from hpo.config.objectives import check_by_hand, parse_objectives
from hpo.errors import ConfigError
from hpo.events.held_out import parse_names
from hpo.events.objective import Objective
from hpo.randomness import Randomness
from hpo.space.search_space import SearchSpace, parse_space

BACKENDS = {
    "local": "hpo.backends.local.LocalBackend",
    "simulated": "hpo.backends.simulated.SimulatedBackend",
    "ray": "hpo.ray.backend.RayBackend",
    "slurm": "hpo.slurm.SlurmBackend",
    "sagemaker": "hpo.sagemaker.SageMakerBackend",
}
"""Backend classes by name, for experiments of version 0.1, which store only the name."""
FORMER_TARGETS = {
    "hpo.backends.ray.backend.RayBackend": BACKENDS["ray"],
    "hpo.backends.sagemaker.SageMakerBackend": BACKENDS["sagemaker"],
}
"""Backend classes by the former names that stored experiments and users' YAML contain."""
REAL_BACKENDS = frozenset(target for name, target in BACKENDS.items() if name != "simulated")
"""Backends that train for real; an experiment may resume on a different one."""

_CALL = {"concerns": "call"}
_RESULTS = {"concerns": "results"}
_MACHINE = {"concerns": "machine"}


@dataclass
class BenchmarkConfig:
    """A training program, what it reports and its search space: conf/benchmark/<name>.yaml."""

    name: str = MISSING
    metric: str = field(default=MISSING, metadata=_RESULTS)
    mode: Mode = field(default=MISSING, metadata=_RESULTS)
    objectives: dict[str, Any] = field(default_factory=dict, metadata=_RESULTS)
    """Two or more objectives instead of metric and mode, which are then those of the first objective."""
    reference_point: dict[str, Any] = field(default_factory=dict, metadata=_RESULTS)
    constraints: dict[str, Any] = field(default_factory=dict, metadata=_RESULTS)
    cost_attr: str | None = field(default=None, metadata=_RESULTS)
    test_metric: Any = field(default=None, metadata=_CALL)
    """Names of metrics that nothing is decided by: none, one, or a list. OmegaConf has no type for this."""
    script: str | None = field(default=None, metadata=_RESULTS)
    command: list[str] | None = field(default=None, metadata=_RESULTS)
    function: str | None = field(default=None, metadata=_RESULTS)
    resource_attr: str | None = field(default=None, metadata=_RESULTS)
    max_resource_attr: str | None = field(default=None, metadata=_RESULTS)
    config_space: dict[str, Any] = field(default=MISSING, metadata=_RESULTS)
    arguments: dict[str, Any] = field(default_factory=dict, metadata=_RESULTS)
    argument_style: ArgumentStyle = ArgumentStyle.flags
    arguments_as_json: bool | str = False
    config_file: str | None = None
    working_directory: WorkingDirectory = WorkingDirectory.here
    arguments_of_the_machine: list[str] = field(default_factory=list, metadata=_CALL)
    points_to_evaluate: list[dict[str, Any]] | None = field(default=None, metadata=_RESULTS)
    n_workers: int = field(default=1, metadata=_MACHINE)
    max_wallclock_time: float | None = None
    max_num_trials: int | None = None
    max_num_evaluations: int | None = None
    num_gpus_per_trial: int = 1
    processes_per_trial: Any = field(default=None, metadata=_RESULTS)
    preload: Any = field(default="auto", metadata=_CALL)
    """Modules that the trial host imports before trials start: `auto`, a list, or null. OmegaConf has no type for this."""
    report_channel: ReportChannel = ReportChannel.file
    patterns: dict[str, str] = field(default_factory=dict)
    report_path: str | None = None
    first_resource: int = 1
    checkpoint_argument: str | None = None
    data: str | None = None
    table: str | None = field(default=None, metadata=_RESULTS)
    instance_type: str | None = field(default=None, metadata=_RESULTS)
    framework: str | None = None

    @property
    def has_program(self) -> bool:
        """Whether the benchmark has a program to run, and not only a table."""
        return any(program is not None for program in (self.script, self.command, self.function))

    def arguments_besides(self, names: Collection[str]) -> dict[str, Any]:
        """Return the script's constant arguments except those with the given names."""
        return {name: value for name, value in self.arguments.items() if name not in names}

    @property
    def foreign(self) -> bool:
        """Whether the program does not know hpo, so that its results are read from what it prints or writes."""
        return self.report_channel not in (ReportChannel.file, ReportChannel.syne_tune)

    @property
    def named_resource(self) -> str | None:
        """The name of the resource in reports; None if reports are counted instead."""
        return None if self.searched and self.resource_attr not in self.patterns else self.resource_attr

    @property
    def searched(self) -> bool:
        """Whether patterns find its results in what the program prints."""
        return self.report_channel in (ReportChannel.stdout, ReportChannel.stderr)

    @property
    def reports_file(self) -> str:
        """The name of the file with the reports, in the folder of an attempt."""
        return "stdout.log" if self.prefixed else "reports.jsonl"

    @property
    def prefixed(self) -> bool:
        """Whether reports are lines on standard output with Syne Tune's prefix `[tune-metric]`."""
        return self.report_channel == ReportChannel.syne_tune


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
    launcher: dict[str, Any] = field(default_factory=dict, metadata=_CALL)
    experiment_tag: str = MISSING
    seed: int = 0
    start_seed: int = field(default=0, metadata=_CALL)
    num_seeds: int = field(default=1, metadata=_CALL)
    random_seed: int | None = None
    paired_training_seeds: bool = False
    """Whether all configurations are trained with the same seed, and not each with its own."""
    n_workers: int | None = field(default=None, metadata=_MACHINE)
    max_wallclock_time: float | None = None
    max_num_trials: int | None = None
    max_num_evaluations: int | None = None
    max_cost: float | None = None
    max_device_hours: float | None = None
    max_price: float | None = None
    device_price: float | None = None
    target_value: float | None = None
    stop_when: Any = None
    """A mapping for `parse_stop_when`, or None. OmegaConf cannot merge into an optional mapping that is None."""
    scale_max_wallclock_time: bool = False
    num_gpus_per_trial: int | None = None
    gpus_to_use: list[int] | None = field(default=None, metadata=_CALL)
    max_size_data_for_model: int = 500
    warm_start: list[str] = field(default_factory=list)
    warm_start_use: WarmStartUse = WarmStartUse.points
    warm_start_sha256: str | None = None
    """SHA-256 of the file warm_start.jsonl; None until it is written."""
    delete_checkpoints: bool = field(default=False, metadata=_CALL)
    remote_tuning_metrics: bool = field(default=True, metadata=_CALL)
    use_long_tuner_name_prefix: bool = True
    max_failures: int = field(default=3, metadata=_CALL)
    trial_timeout: float | None = field(default=None, metadata=_CALL)
    trial_silence_timeout: float | None = field(default=None, metadata=_CALL)
    grace_period_seconds: float = field(default=30.0, metadata=_CALL)
    max_log_megabytes: float | None = field(default=100.0, metadata=_CALL)
    max_checkpoint_gigabytes: float | None = field(default=None, metadata=_CALL)
    overwrite: bool = field(default=False, metadata=_CALL)
    resume: bool = field(default=True, metadata=_CALL)
    retry: Retry | None = field(default=None, metadata=_CALL)
    code_changes: CodeChanges = field(default=CodeChanges.warn, metadata=_CALL)
    callbacks: dict[str, Any] = field(default_factory=dict, metadata=_CALL)
    trusted_modules: list[str] = field(default_factory=list, metadata=_CALL)

    @property
    def backend_target(self) -> str:
        """The class that runs the trials: the backend's `_target_`, else the class of its name.

        Raises:
            ConfigError: No backend has that name.
        """
        target = self.backend.get("_target_", self.backend_of_name)
        if target is None:
            name = self.backend.get("name")
            raise ConfigError(f"backend={name}: use auto, {', '.join(BACKENDS)}, or give it a _target_")
        return FORMER_TARGETS.get(str(target), str(target))

    @property
    def backend_of_name(self) -> str | None:
        """The backend class that the configured name alone selects; None if there is none."""
        name = self.backend.get("name")
        if name == "auto":
            has_program = self.benchmark.has_program
            name = "local" if has_program or self.benchmark.table is None else "simulated"
        return BACKENDS.get(str(name))

    @property
    def simulated(self) -> bool:
        """Whether trials are looked up in a table: on request, or because the benchmark has a table and no program."""
        return self.backend_target == BACKENDS["simulated"]

    @property
    def copies_checkpoints(self) -> bool:
        """Whether the method starts trials from copies of other trials' checkpoints; its key `mutable` tells."""
        return "mutable" in self.method.scheduler

    @property
    def objective(self) -> Objective:
        """The objective by which the benchmark's reports are judged.

        Raises:
            ConfigError: A constraint or an objective cannot be used.
        """
        told, end = self.benchmark, self.max_resource if self.benchmark.constraints else None
        check_by_hand(told.metric, told.mode, told.objectives)
        constraints = parse_constraints(told.constraints, end)
        aims = parse_objectives(told.objectives)
        mode, resource, tests = told.mode.value, told.named_resource, parse_names(told.test_metric)
        return Objective(told.metric, mode, resource, constraints, end, aims, told.cost_attr, tests)

    @property
    def randomness(self) -> Randomness:
        """The random streams of the experiment, from its random_seed and its seed number."""
        assert self.random_seed is not None
        return Randomness(self.random_seed, self.seed, self.paired_training_seeds)

    @property
    def space(self) -> SearchSpace:
        """The parsed search space."""
        return parse_space(self.benchmark.config_space)

    @property
    def budget(self) -> dict[str, Any]:
        """The limits of the experiment, by budget key; None is no limit."""
        return {key: getattr(self, key) for key in budget_keys(self.benchmark.cost_attr)}

    @property
    def devices_per_trial(self) -> int:
        """The number of devices that a trial holds: its GPUs; a trial without GPUs counts as one device."""
        return max(self.num_gpus_per_trial or 0, 1)

    @property
    def devices(self) -> int:
        """The number of devices that all workers hold together."""
        return (self.n_workers or 1) * self.devices_per_trial

    @property
    def place(self) -> str:
        """The path of the experiment's directory below outputs/."""
        return f"{self.experiment_tag}/{self.benchmark.name}/{self.method.name}/seed_{self.seed}"

    @property
    def max_resource(self) -> int | None:
        """The value of the script's argument `max_resource_attr`; None if the benchmark has none."""
        name = self.benchmark.max_resource_attr
        if name is None:
            return None
        constants = {k: v for k, v in self.benchmark.config_space.items() if not isinstance(v, Mapping)}
        value = {**constants, **self.benchmark.arguments}.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(
                f"benchmark.max_resource_attr={name}: benchmark.arguments.{name} is {value!r}; give it a positive whole "
                f"number, the resource of a full-budget evaluation"
            )
        return value


def keys_that_concern(kind: type, what: str) -> tuple[str, ...]:
    """Return the keys of a configuration class whose fields are marked with `what` in their metadata."""
    return tuple(key.name for key in fields(kind) if key.metadata.get("concerns") == what)


RUN_KEYS = (*keys_that_concern(ExperimentConfig, "call"), *keys_that_concern(BenchmarkConfig, "call"))
"""Keys that concern a call and not the experiment: where and how carefully trials run, not what is tried."""
MACHINE_KEYS = (*keys_that_concern(ExperimentConfig, "machine"), *keys_that_concern(BenchmarkConfig, "machine"))
"""Keys that may differ between machines: between sessions of an experiment, and between compared experiments."""
CONDITIONS = keys_that_concern(BenchmarkConfig, "results")
"""Keys of a benchmark on which compared experiments must agree."""
