"""Alias of hpo.slurm.job, the program in a Slurm job, under the former name that queued jobs contain."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(import_module("hpo.slurm.job"), name)
