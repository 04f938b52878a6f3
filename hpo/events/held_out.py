"""Test values: metrics that are recorded and shown, and that no decision may use.

`Objective.without_tests` takes them out of each report before anything is decided; this module keeps them for readers.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class HeldOut:
    """The test values of the best results, computed from the reports so far."""

    _latest: dict[int, dict[str, float]] = field(default_factory=dict)
    """Last reported values of each trial."""
    _best: dict[tuple[int, int], Mapping[str, float]] = field(default_factory=dict)
    """Values of the best reports, by trial id and resource."""

    def add(self, trial: int, resource: int, values: Mapping[str, float], best: Collection[tuple[int, int]]) -> None:
        """Add the test values of a report.

        Args:
            trial: Trial that reports.
            resource: Resource that it has reached.
            values: Its test values; it may lack some.
            best: Trial id and resource of the best report, or of those on the Pareto front, now that this one is known.
        """
        self._latest.setdefault(trial, {}).update(values)
        if (trial, resource) in best:
            self._best = {place: kept for place, kept in self._best.items() if place in best}
            self._best[trial, resource] = values

    def of(self, trial: int, resource: int) -> dict[str, float]:
        """Return the test values of one of the best reports; one that it lacks is the last that its trial has reported."""
        return {**self._latest.get(trial, {}), **self._best.get((trial, resource), {})}


def parse_names(written: Any) -> tuple[str, ...]:
    """Return the names of test metrics as they are written in a benchmark: none, one, or a list."""
    return () if written is None else (written,) if isinstance(written, str) else tuple(written)
