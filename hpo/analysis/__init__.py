"""Comparing methods: what the seeds can show, and what they cannot. `compare(paths, baseline="RS")` does it all."""

from hpo.analysis.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
