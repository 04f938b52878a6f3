"""The hypervolume of a front: how much of the space of losses it dominates, up to a reference point.

Two losses by a sweep, three by a sweep over a staircase, four and more by slices along the last loss, of which each adds the
exclusive part of one point (While, Bradstreet & Barone, "A Fast Way of Calculating Exact Hypervolumes", IEEE TEC 2012).
"""

from bisect import bisect_left, bisect_right

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def front_of(losses: Floats) -> NDArray[np.intp]:
    """Which rows nothing dominates, ascending; of equal rows the first.

    Args:
        losses: shape (n, m), lower is better in each; a row with one that is not finite is on no front.
    """
    finite = np.flatnonzero(np.isfinite(losses).all(axis=1))
    # In the order of the losses nothing that comes later dominates what came before.
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
    """The volume between some points, of which any may be dominated, and a reference point.

    Args:
        losses: shape (n, m), m at least 2; what is not below the reference in all of them counts for nothing.
        reference: shape (m,).
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
    """Slices along the third loss, each as wide as the staircase of the points before it."""
    right, top, _ = reference.tolist()
    xs, ys = [-np.inf, right], [top, -np.inf]  # x ascending, y descending, with a guard at each end
    area, total = 0.0, 0.0
    ordered = points[np.argsort(points[:, 2], kind="stable")].tolist()
    ends = [point[2] for point in ordered[1:]] + [float(reference[2])]
    for (x, y, z), end in zip(ordered, ends, strict=True):
        begin = bisect_right(xs, x)
        if ys[begin - 1] > y:  # else it is dominated among these two
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
    """Slices along the last loss, each as large as the volume of the points before it in the others."""
    points = points[np.argsort(points[:, -1], kind="stable")]
    ends = np.append(points[1:, -1], reference[-1])
    return float(volumes(points[:, :-1], reference[:-1]) @ (ends - points[:, -1]))


def volumes(losses: Floats, reference: Floats) -> Floats:
    """The hypervolume of each beginning of a list of points, shape (n,): what each adds is exclusive to it.

    Args:
        losses: shape (n, m), m at least 2, in their order.
        reference: shape (m,).
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
