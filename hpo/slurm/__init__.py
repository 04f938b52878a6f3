"""Slurm as a backend: jobs that run trial after trial, as the queue grants them, in a directory that all nodes share."""

from hpo.slurm.backend import SlurmBackend

__all__ = ["SlurmBackend"]
