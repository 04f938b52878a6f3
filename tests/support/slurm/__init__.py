"""A private Slurm for the tests."""
