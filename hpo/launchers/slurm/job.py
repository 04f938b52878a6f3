"""Former place of what runs in a Slurm job, which jobs that are queued name; it is hpo.slurm.job now."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(import_module("hpo.slurm.job"), name)
