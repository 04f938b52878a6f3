"""Comparing methods over seeds: what they show, and what they cannot.

`figures` is `hpo.figures`; it is loaded on first use, for it lies above this package.
"""

from importlib import import_module

from hpo.analysis.comparing import compare
from hpo.analysis.comparison import Comparison

__all__ = ["Comparison", "compare", "figures"]


def __getattr__(name: str) -> object:
    """Import `figures` when it is first used (PEP 562)."""
    if name != "figures":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("hpo.figures")
