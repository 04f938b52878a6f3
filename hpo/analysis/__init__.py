"""Comparing methods: what the seeds can show, and what they cannot. `compare(paths, baseline="RS")` does it all."""

from hpo.analysis.comparing import compare
from hpo.analysis.comparison import Comparison

__all__ = ["Comparison", "compare"]
