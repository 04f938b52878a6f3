"""Slurm: one job per experiment."""

from hpo.launchers.slurm.launcher import SlurmLauncher

__all__ = ["SlurmLauncher"]
