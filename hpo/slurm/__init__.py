"""Slurm: one job per experiment (launcher), or jobs that run trial after trial as the queue grants them (backend)."""

from importlib import import_module
from typing import Any

_PLACES = {"SlurmBackend": "hpo.slurm.backend", "SlurmLauncher": "hpo.slurm.launcher"}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that a trial's job does not load the launcher."""
    if name not in _PLACES:
        raise AttributeError(f"module hpo.slurm has no attribute {name}")
    return getattr(import_module(_PLACES[name]), name)
