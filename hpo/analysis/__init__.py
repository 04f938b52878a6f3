"""Comparing methods over seeds: what they show, and what they cannot."""

from hpo.analysis.comparing import compare
from hpo.analysis.comparison import Comparison

__all__ = ["Comparison", "compare"]
