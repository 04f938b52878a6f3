"""Alias of hpo.slurm.job under the former name that jobs queued earlier contain. To be removed in version 0.3."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(import_module("hpo.slurm.job"), name)
