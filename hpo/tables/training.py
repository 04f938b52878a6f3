"""One training of a table, of which an experiment most often sees no more than the beginning."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]
"""One value for each unit of resource."""


class RecordedTraining(NamedTuple):
    """What a training comes to; numbers are made when they are asked for, for most never are."""

    final: dict[str, float]
    """Every metric at the end."""
    curves: Mapping[str, Curve]
    """Of those that are not the same all along."""
    seconds: Curve
    """Elapsed by then."""

    def report(self, resource: int) -> dict[str, float]:
        """Every metric after so many units of resource."""
        metrics = self.final.copy()
        for name, curve in self.curves.items():
            metrics[name] = curve.item(resource - 1)
        return metrics

    def seconds_until(self, resource: int) -> float:
        """Of training, for so many units of resource, none included."""
        seconds: float = self.seconds.item(resource - 1) if resource else 0.0
        return seconds
