"""Trials as jobs of a job service: shared code for all platforms, each of which adds two small adapters."""
