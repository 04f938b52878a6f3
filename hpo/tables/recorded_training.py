"""One recorded training of a tabular benchmark; an experiment usually sees only its beginning."""

from collections.abc import Mapping
from typing import NamedTuple

from hpo.surrogate.arrays import Floats

"""One value for each unit of resource."""


class RecordedTraining(NamedTuple):
    """The metrics and the time of one recorded training.

    Values for a resource are computed on request, because most are never needed.
    """

    final: dict[str, float]
    """Every metric at the end of the training."""
    curves: Mapping[str, Floats]
    """Curves of the metrics that are not constant."""
    seconds: Floats
    """Training seconds elapsed after each unit of resource."""

    def report(self, resource: int) -> dict[str, float]:
        """Return every metric after the given units of resource."""
        metrics = self.final.copy()
        for name, curve in self.curves.items():
            metrics[name] = curve.item(resource - 1)
        return metrics

    def seconds_until(self, resource: int) -> float:
        """Return the training seconds up to a resource; 0 for resource 0."""
        seconds: float = self.seconds.item(resource - 1) if resource else 0.0
        return seconds
