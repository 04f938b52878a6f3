"""Former place of the Slurm launcher, which stored experiments and users' YAML name; it is hpo.slurm now."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(import_module("hpo.slurm"), name)
