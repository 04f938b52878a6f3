"""Proposing a benchmark for a program (`hpo init`): its arguments, read from its source or its help, and a search space."""
