"""Steering: commands to a running experiment, who may give them, their answers, and their expected consequences."""
