"""Checks that train outside any experiment: whether a script is fit for tuning, and whether a trial is reproducible."""
