"""Launchers: where an experiment runs (on this machine, as a Slurm job, or as a SageMaker job)."""
