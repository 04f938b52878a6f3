"""What happened in an experiment, folded from its events: curves, attempts, rungs, importance, live boards."""
