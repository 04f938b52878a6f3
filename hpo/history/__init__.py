"""The history of an experiment, computed from its events: curves, attempts, rungs, importance, live boards."""
