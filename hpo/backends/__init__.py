"""Backends: where trials run (this machine, Ray, Slurm, SageMaker, or simulated from a table); devices and reports."""
