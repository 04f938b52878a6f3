"""Steering a running experiment: giving commands to its tuner, and telling beforehand what a command would do."""
