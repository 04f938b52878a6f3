"""Hypervolume of a Pareto front: the volume of objective space that it dominates, up to a reference point.

Two losses are handled by a sweep, three by a sweep over a staircase. Four or more are sliced along the last loss; each point
adds the volume that it alone dominates (While, Bradstreet & Barone, "A Fast Way of Calculating Exact Hypervolumes", IEEE TEC
2012).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.surrogate.arrays import Floats, Integers


def front_of(losses: Floats) -> Integers:
    """Return the indices of the non-dominated rows, ascending; of equal rows, the first.

    Args:
        losses: Losses, shape (n, m), lower is better; rows with a value that is not finite are on no front.
    """
    finite = np.flatnonzero(np.isfinite(losses).all(axis=1))
    # In lexicographic order of the losses, no row dominates an earlier one.
    ordered = finite[np.lexsort((finite, *losses[finite].T[::-1]))]
    if losses.shape[1] == 2 and len(ordered):
        lowest = np.minimum.accumulate(losses[ordered, 1])
        return np.sort(ordered[np.append(True, losses[ordered[1:], 1] < lowest[:-1])])
    kept: list[int] = []
    left = losses[ordered]
    while len(ordered):
        kept.append(int(ordered[0]))
        better = (left < left[0]).any(axis=1)
        ordered, left = ordered[better], left[better]
    return np.sort(np.array(kept, dtype=np.intp))


def hypervolume(losses: Floats, reference: Floats) -> float:
    """Return the volume that points dominate, up to a reference point.

    Args:
        losses: Points, shape (n, m), m at least 2. They may dominate each other; those not below the reference in every
            loss are ignored.
        reference: Reference point, shape (m,).
    """
    inside = losses[(losses < reference).all(axis=1)]
    if len(inside) < 2:
        return float(np.prod(reference - inside, axis=1).sum())
    if len(reference) == 2:
        return _area(inside, reference)
    return _sweep(inside, reference) if len(reference) == 3 else _slices(inside, reference)


def _area(points: Floats, reference: Floats) -> float:
    x, y = points[np.argsort(points[:, 0], kind="stable")].T
    widths = np.append(x[1:], reference[0]) - x
    return float(widths @ (reference[1] - np.minimum.accumulate(y)))


def _sweep(points: Floats, reference: Floats) -> float:
    """Return the hypervolume for three losses, by slices along the third, whose areas lie under a staircase of points."""
    right, top, _ = reference.tolist()
    xs, ys = [-np.inf, right], [top, -np.inf]  # x ascending, y descending, with a sentinel at each end
    area, total = 0.0, 0.0
    ordered = points[np.argsort(points[:, 2], kind="stable")].tolist()
    ends = [point[2] for point in ordered[1:]] + [float(reference[2])]
    for (x, y, z), end in zip(ordered, ends, strict=True):
        begin = bisect_right(xs, x)
        if ys[begin - 1] > y:  # else the point is dominated in the first two losses
            begin = bisect_left(xs, x)
            stop, at, height = begin, x, ys[begin - 1]
            while ys[stop] >= y:
                area += (xs[stop] - at) * (height - y)
                at, height = xs[stop], ys[stop]
                stop += 1
            area += (xs[stop] - at) * (height - y)
            xs[begin:stop], ys[begin:stop] = [x], [y]
        total += area * (end - z)
    return total


def _slices(points: Floats, reference: Floats) -> float:
    """Return the hypervolume for four or more losses, by slices along the last."""
    points = points[np.argsort(points[:, -1], kind="stable")]
    ends = np.append(points[1:, -1], reference[-1])
    return float(volumes(points[:, :-1], reference[:-1]) @ (ends - points[:, -1]))


def volumes(losses: Floats, reference: Floats) -> Floats:
    """Return the hypervolume of the first 1, 2, …, n points, shape (n,), by the volume that each point adds.

    Args:
        losses: Points in order, shape (n, m), m at least 2.
        reference: Reference point, shape (m,).
    """
    known = losses[:0]
    found, volume = np.zeros(len(losses)), 0.0
    for number, point in enumerate(losses):
        if (point < reference).all() and not (known <= point).all(axis=1).any():
            shared = np.maximum(known, point)
            volume += float(np.prod(reference - point)) - hypervolume(shared[front_of(shared)], reference)
            known = np.vstack([known[(known < point).any(axis=1)], point])
        found[number] = volume
    return found


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
