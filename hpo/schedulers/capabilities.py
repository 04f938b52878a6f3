"""Capabilities of schedulers, declared once per class; callers check them before a trial starts."""

import pkgutil
from dataclasses import dataclass

from hpo.config.config_folders import CONF_DIR
from hpo.config.reading import content_of
from hpo.searchers.capabilities import SearcherCapabilities


@dataclass(frozen=True)
class SchedulerCapabilities:
    """Capabilities of a class of schedulers; experiments that need others are rejected.

    Attributes:
        pauses: Whether `on_report` can return PAUSE; if so, scripts should save checkpoints.
        completes: Whether every trial runs to its end, that is, none is ever paused or stopped.
        copies: Whether trials start from copies of other trials' checkpoints, as in population-based training. Such a
            scheduler has an argument `mutable`, the names of the hyperparameters that may change. Callers read that
            argument before they construct the scheduler.
        conditions: Whether it supports conditional hyperparameters.
        constraints: Whether it supports constraints, through `on_outcome`.
        violations: What it does with trials that violate a constraint, in the words of the table of all methods.
        proposals: The same of configurations that it makes itself; None if all come from the searcher.
        objectives: Whether it supports several objectives.
        box: Whether the search can be restricted to a box; not possible if it makes configurations of its own.
        counts_seconds: Whether it needs training time in seconds as a trial's cost if the benchmark names no cost metric.
    """

    pauses: bool = False
    completes: bool = False
    copies: bool = False
    conditions: bool = True
    constraints: bool = False
    violations: str = "never stopped"
    proposals: str | None = None
    objectives: bool = False
    box: bool = True
    counts_seconds: bool = False


FORMER_FLAGS = {
    "pauses": "pauses",
    "completes": "completes",
    "copies": "copies",
    "takes_conditions": "conditions",
    "takes_outcomes": "constraints",
    "takes_objectives": "objectives",
    "takes_box": "box",
    "counts_seconds": "counts_seconds",
}
"""Class attributes in which earlier versions looked for capabilities, and the capabilities that replace them."""


def capabilities_of(method: str) -> tuple[SearcherCapabilities, SchedulerCapabilities]:
    """Return what the searcher and the scheduler of one of hpo's methods support."""
    content = content_of("method", method)
    searcher, scheduler = (pkgutil.resolve_name(content[part]["_target_"]) for part in ("searcher", "scheduler"))
    return searcher.capabilities, scheduler.capabilities


def method_names() -> list[str]:
    """Return the names of hpo's methods, in alphabetical order."""
    return sorted(path.stem for path in (CONF_DIR / "method").glob("*.yaml"))
