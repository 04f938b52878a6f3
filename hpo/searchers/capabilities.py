"""Capabilities of searchers, declared once per class; callers check them before a trial starts."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class SearcherCapabilities:
    """Capabilities of a class of searchers; experiments that need others are rejected.

    Attributes:
        conditions: Whether it supports conditional hyperparameters.
        priors: Whether it supports priors, that is, a `confidence` of hyperparameters.
        constraints: Whether it supports constraints.
        violations: What it does with configurations that violate a constraint, in the words of the table of all methods.
        objectives: Whether it supports several objectives (through `on_outcome`).
        box: Whether `restrict_to` can restrict most proposals to a box within the search space.
        earlier_results: Whether it has a model that can learn from earlier experiments, through `learn_from`.
        needs_complete: Whether it needs every trial to run to its end, so that no scheduler may stop trials early.
    """

    conditions: bool = True
    priors: bool = True
    constraints: bool = True
    violations: str = "worst losses"
    objectives: bool = False
    box: bool = False
    earlier_results: bool = False
    needs_complete: bool = False


FORMER_FLAGS = {
    "takes_conditions": "conditions",
    "takes_priors": "priors",
    "takes_constraints": "constraints",
    "takes_objectives": "objectives",
    "takes_box": "box",
    "learns_from_warm_start": "earlier_results",
    "needs_complete": "needs_complete",
}
"""Class attributes in which earlier versions looked for capabilities, and the capabilities that replace them."""


def adopt_former_flags(cls: type[Any], former: Mapping[str, str]) -> None:
    """Add to a class's capabilities those that it sets by attributes of earlier versions, with one warning."""
    given = {former[name]: value for name, value in vars(cls).items() if name in former}
    if given:
        cls.capabilities = replace(cls.capabilities, **given)
        declared = ", ".join(f"{name}={value}" for name, value in given.items())
        warnings.warn(
            f"{cls.__qualname__} sets {', '.join(name for name in vars(cls) if name in former)}; a later version will not "
            f"read that: write capabilities = {type(cls.capabilities).__name__}({declared})",
            FutureWarning,
            stacklevel=4,  # the class statement, above __init_subclass__ and the metaclass
        )
