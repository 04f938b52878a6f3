"""Hypervolume of a Pareto front: the volume of objective space that it dominates, up to a reference point.

Two losses are handled by a sweep, three by a sweep over a staircase. Four or more are sliced along the last loss; each point
adds the volume that it alone dominates (While, Bradstreet & Barone, "A Fast Way of Calculating Exact Hypervolumes", IEEE TEC
2012).
"""

from bisect import bisect_left, bisect_right

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
