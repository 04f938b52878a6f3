"""Checks that train outside an experiment: whether a script is fit for tuning, and whether a trial is reproducible."""
