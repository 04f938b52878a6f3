"""Former place of what runs in a Slurm job, which jobs that were queued earlier name. Goes with version 0.3."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(import_module("hpo.slurm.job"), name)
