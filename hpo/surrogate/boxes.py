"""The box that hypervolumes are measured in: from the best value of each objective to a reference point.

Each objective is scaled by the box, so that none counts for more because its numbers are larger, and where it asks for it
is measured on its logarithm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.surrogate.hypervolume import Floats, hypervolume, volumes

MARGIN = 0.1
"""How far beyond the worst value the reference point lies, in ranges of the values."""


@dataclass(frozen=True, eq=False)
class Box:
    """Where hypervolumes are measured.

    Attributes:
        ideal: the least of each loss, shape (m,).
        reference: what a loss must be below to count, shape (m,).
        logs: for each objective -1 or 1, the sign that its losses have, where it is measured on a logarithm; else 0.
    """

    ideal: Floats
    reference: Floats
    logs: Sequence[int]

    def share(self, losses: Floats) -> float:
        """How much of the box some points dominate, from 0 to 1; losses have the shape (n, m)."""
        return hypervolume(self.places(losses), np.ones(len(self.ideal)))

    def shares(self, losses: Floats) -> Floats:
        """The same of each beginning of a list of points, shape (n,)."""
        return volumes(self.places(losses), np.ones(len(self.ideal)))

    def places(self, losses: Floats) -> Floats:
        """In the box: 0 is the ideal, 1 the reference point. What is better than the ideal counts as that."""
        low, high = _scaled(self.ideal, self.logs), _scaled(self.reference, self.logs)
        return np.asarray(np.maximum((_scaled(losses, self.logs) - low) / (high - low), 0.0))


def box_around(losses: Floats, logs: Sequence[int], reference: Floats | None = None) -> Box | None:
    """The box around some points; None where there is none, or none below the reference point.

    Args:
        losses: finite, shape (n, m).
        logs: as of a `Box`; an objective that has a value of another sign, or 0, is measured as it is.
        reference: shape (m,); None: beyond the worst of each loss by a tenth of the range, and where all are equal by a tenth
            of the value.
    """
    if reference is not None:
        losses = losses[(losses < reference).all(axis=1)]
    if not len(losses):
        return None
    ends = losses if reference is None else np.vstack([losses, reference])
    logs = [sign if (sign * ends[:, i] > 0).all() else 0 for i, sign in enumerate(logs)]
    ideal, worst = losses.min(axis=0), losses.max(axis=0)
    if reference is None:
        low, high = _scaled(ideal, logs), _scaled(worst, logs)
        span = np.where(high > low, high - low, np.where(high != 0, np.abs(high), 1.0))
        reference = _unscaled(high + MARGIN * span, logs)
    return Box(ideal, reference, logs)


def _scaled(losses: Floats, logs: Sequence[int]) -> Floats:
    scaled = np.array(losses, dtype=np.float64)
    for column, sign in enumerate(logs):
        if sign:
            scaled[..., column] = sign * np.log(np.maximum(sign * scaled[..., column], np.finfo(float).tiny))
    return scaled


def _unscaled(scaled: Floats, logs: Sequence[int]) -> Floats:
    found = scaled.copy()
    for column, sign in enumerate(logs):
        if sign:
            found[column] = sign * np.exp(sign * found[column])
    return found
