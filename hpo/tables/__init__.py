"""Tabular benchmarks: trainings recorded once, from which experiments are simulated."""
