"""Trials as jobs of a job service: one machinery for every platform, which a platform joins by two small adapters."""
