"""The former place of what runs in a Slurm job: jobs that were queued then hold this name. Goes with version 0.3."""

from hpo.launchers.slurm.job import work

__all__ = ["work"]
