"""Backends: where trials run (processes on this machine, Ray, SageMaker, or simulated from a table); devices and reports."""
