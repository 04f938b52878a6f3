"""Launchers: where an experiment runs, here or as a job elsewhere."""
