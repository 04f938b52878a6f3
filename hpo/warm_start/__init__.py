"""Warm starts: results of earlier experiments in one file, and which of them a new experiment can use."""
