"""Steering a running experiment: who may be told what, commands given and answered, and what they will come to."""
