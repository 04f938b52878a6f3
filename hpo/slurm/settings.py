"""The keys of conf/backend/slurm.yaml, checked, and the options of sbatch that they stand for."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.slurm.request import CORES_PER_GPU, further_options

OWN_KEYS = {
    "partition": "partition",
    "account": "account",
    "qos": "qos",
    "cpus-per-task": "cpus_per_task",
    "time": "time_limit",
    "mem": "mem",
    "gres": "gpus_type",
}
"""Options of sbatch that have a key of their own under `backend`."""

_NOT_SETTINGS = ("name", "_target_")
_PARTS_OF_A_TIME = {1: (1,), 2: (1, 1 / 60), 3: (60, 1, 1 / 60)}
_PARTS_AFTER_DAYS = {1: (60,), 2: (60, 1), 3: (60, 1, 1 / 60)}


@dataclass(frozen=True, kw_only=True)
class SlurmBackendSettings:
    """Checked keys of `conf/backend/slurm.yaml`, which documents each of them."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    time_limit: int | str = 240
    cpus_per_task: int | None = None
    mem: str | int | None = None
    gpus_type: str | None = None
    max_pending: int | None = None
    trials_per_job: int | None = None
    idle_seconds: float = 30.0
    poll_seconds: float = 15.0
    report_seconds: float = 0.2
    sync_seconds: float = 30.0
    setup: Sequence[str] = ()
    sbatch: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, config: ExperimentConfig) -> "SlurmBackendSettings":
        """Return the Slurm backend's settings in an experiment's configuration.

        Raises:
            ConfigError: A key has an invalid value; the sentence names both.
        """
        given = {key: value for key, value in config.backend.items() if key not in _NOT_SETTINGS and value is not None}
        settings = cls(**given)
        settings._check()
        return settings

    def _check(self) -> None:
        for key in ("cpus_per_task", "max_pending", "trials_per_job"):
            value = getattr(self, key)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ConfigError(f"backend.{key}={value}: use a positive whole number")
        limits = {
            "poll_seconds": (2, 3600, "; operators complain about who asks Slurm more often"),
            "report_seconds": (0.05, 60, ""),
            "sync_seconds": (0.1, math.inf, ""),
            "idle_seconds": (1, 3600, "; an idle job keeps others from its node"),
        }
        for key, (least, most, why) in limits.items():
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
                most_text = f"from {least:g} to {most:g}" if most < math.inf else f"of at least {least:g}"
                raise ConfigError(f"backend.{key}={value}: use a number {most_text}{why}")
        if isinstance(self.setup, str) or not all(isinstance(line, str) for line in self.setup):
            raise ConfigError(f"backend.setup={self.setup}: use a list of shell lines, such as ['module load cuda']")
        further_options(self.sbatch, "backend", OWN_KEYS)
        minutes_of(self.time_limit)

    def options(self, config: ExperimentConfig) -> dict[str, Any]:
        """Return the options of sbatch that all jobs of an experiment share, by their long names.

        Raises:
            ConfigError: Keys contradict each other, or a value cannot be an option.
        """
        gpus, grace = config.num_gpus_per_trial or 0, math.ceil(config.grace_period_seconds) + 60
        if grace >= 60 * minutes_of(self.time_limit):
            raise ConfigError(
                f"backend.time_limit={self.time_limit}: a job would be interrupted {grace} s before that, which is at once; "
                f"give it more, or set grace_period_seconds lower"
            )
        kind = "" if self.gpus_type is None else f"{self.gpus_type}:"
        options = {
            "nodes": 1,
            "ntasks": 1,
            "cpus-per-task": self.cpus_per_task or max(CORES_PER_GPU * gpus, 1),
            "time": self.time_limit,
            "signal": f"B:USR2@{grace}",  # to the worker alone, which passes it on
            "no-requeue": True,  # an interrupted attempt resumes in another job, from its checkpoint
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "mem": self.mem,
            "gres": f"gpu:{kind}{gpus}" if gpus else None,
            **further_options(self.sbatch, "backend", OWN_KEYS),
        }
        options = {name: value for name, value in options.items() if value is not None and value is not False}
        for name, value in options.items():
            if not str(value).isprintable():
                raise ConfigError(f"backend: {name}={str(value)!r}: Slurm takes no line breaks or control characters")
        return options


OPTIONS = tuple(key.name for key in fields(SlurmBackendSettings))
"""Keys that the backend accepts besides `_target_`."""


def minutes_of(limit: int | str) -> float:
    """Return a time limit in minutes, from a number or a text that sbatch accepts, such as 1:30:00 or 2-12.

    Raises:
        ConfigError: The limit is neither.
    """
    days, dash, rest = str(limit).rpartition("-")
    parts = rest.split(":")
    units = (_PARTS_AFTER_DAYS if dash else _PARTS_OF_A_TIME).get(len(parts))
    numeric = all(re.fullmatch(r"\d+", part) for part in (*parts, *([days] if dash else [])))
    if isinstance(limit, bool) or units is None or not numeric:
        raise ConfigError(f"backend.time_limit={limit}: use minutes, or HOURS:MINUTES:SECONDS, or DAYS-HOURS")
    return int(days or 0) * 1440 + sum(int(part) * unit for part, unit in zip(parts, units, strict=True))
