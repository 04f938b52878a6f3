"""Statistical comparison of methods over seeds: scores, confidence intervals, tests and a verdict.

`figures` is the package `hpo.figures`. It is loaded on first use because it imports this package.
"""

from importlib import import_module

from hpo.analysis.comparison import Comparison
from hpo.analysis.method_comparison import compare

__all__ = ["Comparison", "compare", "figures"]


def __getattr__(name: str) -> object:
    """Import `hpo.figures` when the attribute `figures` is first used (PEP 562)."""
    if name != "figures":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("hpo.figures")
