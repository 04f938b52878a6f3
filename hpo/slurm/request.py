"""The request to sbatch: the options of the job and its command, made from the experiment alone."""

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.config.schema import BACKENDS, ExperimentConfig
from hpo.errors import ConfigError
from hpo.ray.job_cluster import check_nodes, makes_cluster
from hpo.slurm.commands import OWN_KEYS

CONFIG = "request.yaml"
"""File with the configuration that the job runs. It is not experiment.yaml, which shows that the tuner has begun."""

LOGS = "slurm"

CORES_PER_GPU = 4
"""Default number of cores per GPU; fewer are requested if no node has that many."""

_OURS = (
    "array",
    "chdir",
    "error",
    "job-name",
    "no-requeue",
    "open-mode",
    "output",
    "requeue",
    "signal",
    "wait",
    "wrap",
)
"""Options of sbatch that hpo sets itself."""


@dataclass(kw_only=True, eq=False)
class SlurmSettings:
    """The keys under `launcher` for launcher=slurm; see `SlurmLauncher` for their meaning."""

    partition: str | None = None
    nodes: int | None = None
    cpus_per_task: int | None = None
    gpus: int | str | None = None
    mem: str | int | None = None
    timeout_min: int = 240
    signal_delay_s: int | None = None
    sbatch: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError for an invalid value."""
        for key in ("nodes", "cpus_per_task", "timeout_min", "signal_delay_s"):
            value = getattr(self, key)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ConfigError(f"launcher.{key}={value}: use a positive whole number")
        if not re.fullmatch(r"(\w+:)?\d+", str(0 if self.gpus is None else self.gpus)):
            raise ConfigError(f"launcher.gpus={self.gpus}: use a number, or type:number such as a100:2")
        self.further = further_options(self.sbatch or {})
        """The options under `sbatch`, by their long names."""


def make_request(launcher: SlurmSettings, experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Return the options of sbatch, the command, and the folder of Slurm's own files.

    Raises:
        ConfigError: Keys contradict each other, or a text is not possible in a batch script.
    """
    directory = output_dir.absolute()
    workers, per_trial = experiment.n_workers or 1, experiment.num_gpus_per_trial or 0
    if experiment.backend_target == BACKENDS["slurm"]:  # its trials run in their own jobs
        workers, per_trial = 1, 0
    if experiment.gpus_to_use is not None:
        raise ConfigError(
            f"gpus_to_use={experiment.gpus_to_use}: Slurm chooses the devices; give launcher.gpus instead"
        )
    check_nodes(experiment, "launcher.nodes", launcher.nodes)
    nodes = launcher.nodes or 1
    on_one = math.ceil(workers / nodes)
    gpus = on_one * per_trial if launcher.gpus is None else launcher.gpus
    count = int(str(gpus).rpartition(":")[2])
    if count < per_trial:
        raise ConfigError(f"launcher.gpus={gpus}: a trial needs num_gpus_per_trial={per_trial}; give at least as many")
    delay = launcher.signal_delay_s or math.ceil(experiment.grace_period_seconds) + 60
    if delay >= 60 * launcher.timeout_min:
        raise ConfigError(
            f"launcher.timeout_min={launcher.timeout_min}: the job would be interrupted {delay} s before that, which is at "
            f"once; give it more, or set launcher.signal_delay_s above grace_period_seconds"
        )
    options: dict[str, Any] = {
        "job-name": job_name(experiment),
        "chdir": str(Path.cwd()),
        "nodes": nodes,
        "ntasks-per-node": 1,
        "cpus-per-task": _cores(launcher, experiment, on_one, count, per_trial),
        "time": launcher.timeout_min,
        "signal": f"B:USR2@{delay}",  # to the batch script alone: the tuner stops the trials
        "requeue": True,
        "no-kill": nodes > 1,  # a node that fails takes its own trials with it, and no others
        "partition": launcher.partition,
        "mem": launcher.mem,
        "gres": f"gpu:{gpus}" if count and not any(name.startswith("gpus") for name in launcher.further) else None,
        **launcher.further,
    }
    options = {name: value for name, value in options.items() if value is not None and value is not False}
    for name, value in {**options, "output_dir": directory}.items():
        if not str(value).isprintable():  # options are lines of a shell script, where a second line would be a command
            raise ConfigError(f"{name}={str(value)!r}: Slurm takes no line breaks or control characters; remove them")
    if "%" in str(directory):
        raise ConfigError(f"{directory}: Slurm replaces % in the names of files; choose a directory without it")
    return {
        "command": [sys.executable, "-m", "hpo.remote", str(directory / CONFIG), str(directory)],
        "folder": str(directory / LOGS),
        "sbatch": options,
    }


def _cores(launcher: SlurmSettings, experiment: ExperimentConfig, workers: int, gpus: int, per_trial: int) -> int:
    """Return the number of cores per node for a number of workers and GPUs.

    Raises:
        ConfigError: A worker would not have enough cores.
    """
    of_gpus = CORES_PER_GPU * gpus if per_trial else workers
    if not makes_cluster(experiment):
        return launcher.cpus_per_task or of_gpus
    each = experiment.backend.get("cpus", 1)
    if isinstance(each, bool) or not isinstance(each, int | float) or not each > 0:
        raise ConfigError(f"backend.cpus={each}: give it a positive number")
    if launcher.cpus_per_task is not None and launcher.cpus_per_task < each:
        raise ConfigError(
            f"launcher.cpus_per_task={launcher.cpus_per_task}: a trial needs backend.cpus={each:g}; give at least as many"
        )
    of_trials = math.ceil(workers * each)
    return launcher.cpus_per_task or (max(of_gpus, of_trials) if experiment.num_gpus_per_trial else of_trials)


def job_name(experiment: ExperimentConfig) -> str:
    """Return the job's name `{tag}-{method}-{seed}`, in characters that every listing shows unchanged."""
    return re.sub(
        r"[^\w.-]+", "-", f"{experiment.experiment_tag}-{experiment.method.name}-{experiment.seed}", flags=re.A
    )


def further_options(
    given: Mapping[str, Any], group: str = "launcher", own: Mapping[str, str] = OWN_KEYS
) -> dict[str, Any]:
    """Return the options under `sbatch` by their long names.

    Args:
        given: Options as the user writes them.
        group: Group of the configuration that contains them.
        own: Keys of that group, by the option that they stand for.

    Raises:
        ConfigError: A name is not an option of sbatch, or has a key of its own, or is set by hpo.
    """
    options: dict[str, Any] = {}
    for key, value in given.items():
        name = str(key).lstrip("-").replace("_", "-")
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise ConfigError(f"{group}.sbatch.{key}: use the long name of an option of sbatch, such as account")
        if key_of_its_own := own.get(name):
            raise ConfigError(f"{group}.sbatch.{key}={value}: use {group}.{key_of_its_own}")
        if name in _OURS:
            raise ConfigError(f"{group}.sbatch.{key}={value}: hpo sets this option itself; remove it")
        listed = not isinstance(value, str | int | float | bool | None) and not isinstance(value, Mapping)
        options[name] = ",".join(map(str, value)) if listed else value
    return options
