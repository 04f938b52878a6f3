"""The box in which a hypervolume is measured, from the best value of each objective to a reference point.

The box rescales each objective, so that none counts for more because its numbers are larger. An objective can be measured on
a log scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.surrogate.arrays import Floats
from hpo.surrogate.hypervolume import hypervolume, volumes

MARGIN = 0.1
"""Distance of the default reference point beyond the worst value, as a fraction of the range of the values."""


@dataclass(frozen=True, eq=False)
class HypervolumeBox:
    """A rescaled region of objective space in which hypervolumes are measured.

    Attributes:
        ideal: Smallest value of each loss, shape (m,).
        reference: Reference point, shape (m,); a loss must be below it to count.
        logs: For each objective 0 for a linear scale; for a log scale the sign of its losses, -1 or 1.
    """

    ideal: Floats
    reference: Floats
    logs: Sequence[int]

    def share(self, losses: Floats) -> float:
        """Return the fraction of the box, from 0 to 1, that losses of shape (n, m) dominate."""
        return hypervolume(self.places(losses), np.ones(len(self.ideal)))

    def shares(self, losses: Floats) -> Floats:
        """Return the fraction of the box that the first 1, 2, …, n losses dominate, shape (n,)."""
        return volumes(self.places(losses), np.ones(len(self.ideal)))

    def places(self, losses: Floats) -> Floats:
        """Rescale losses so that 0 is the ideal and 1 the reference point; better values than the ideal become 0."""
        low, high = _scaled(self.ideal, self.logs), _scaled(self.reference, self.logs)
        return np.asarray(np.maximum((_scaled(losses, self.logs) - low) / (high - low), 0.0))


def fit_box(losses: Floats, logs: Sequence[int], reference: Floats | None = None) -> HypervolumeBox | None:
    """Return the box around losses; None if there are none, or none below the reference point.

    Args:
        losses: Finite losses, shape (n, m).
        logs: As in `HypervolumeBox`; an objective with values of the other sign, or 0, is measured on a linear scale.
        reference: Reference point, shape (m,). None for the worst value of each loss plus a tenth of its range, or plus a
            tenth of the value if all are equal.
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
    return HypervolumeBox(ideal, reference, logs)


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
