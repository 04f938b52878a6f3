"""What an axis of a metric shows, and on which scale: decided here, for every figure, for page and print.

One diverged trial must not press all others into a line. Values far out lie beyond the limits of the axis and are drawn as
marks at its edge; where nothing is far out there are no limits, and the axis shows everything.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from hpo.events.objective import Objective
from hpo.figures.chart import Axis, axis

FAR = ((0.9, 4.0, 1.75), (0.5, 40.0, 3.5))
"""A quantile, how many times its distance from the best the worst must have to be far out, and how many times are shown."""
DECADES = 2.0
"""Positive values whose middle nine tenths span so many are drawn on a logarithmic axis."""


def metric_axis(objective: Objective, values: Iterable[float | None]) -> Axis:
    """The axis for values of the metric. The best is always on it.

    Keys besides those of `axis`: limits, where values are far out; all, keys that hold instead when all values are shown.
    """
    ordered = _from_best(objective, values)
    log = _spans_decades(ordered, 0.05)
    kept = _kept([math.log10(value) for value in ordered] if log else ordered)
    if kept == len(ordered):
        return axis(objective.metric, **({"log": True} if log else {}))
    limits = sorted((ordered[0], ordered[kept - 1]))
    return axis(objective.metric, log=log, limits=limits, all={"log": _spans_decades(ordered, 0.0)})


def beyond(objective: Objective, drawn: Axis, values: Iterable[float | None]) -> str:
    """How many values lie beyond the limits, and how far, as a sentence; nothing where none does."""
    if "limits" not in drawn:
        return ""
    low, high = drawn["limits"]
    out = [value for value in _from_best(objective, values) if not low <= value <= high]
    if not out:
        return ""
    side, limit = ("above", high) if out[-1] > high else ("below", low)
    count = f"{len(out)} {'value' if len(out) == 1 else 'values'} {side} {limit:.4g}"
    return f"{count}, {'at' if len(out) == 1 else 'as far as'} {out[-1]:.4g}: marked at the edge."


def _from_best(objective: Objective, values: Iterable[float | None]) -> list[float]:
    """Those that are finite, the best first."""
    found = [value for value in values if value is not None and math.isfinite(value)]
    return sorted(found, reverse=objective.mode == "max")


def _spans_decades(ordered: Sequence[float], cut: float) -> bool:
    """Do positive values, without a share `cut` at both ends, span decades?"""
    if not ordered or min(ordered[0], ordered[-1]) <= 0:
        return False
    least = math.ceil(cut * len(ordered))
    ends = ordered[least], ordered[-1 - least]
    return math.log10(max(ends)) - math.log10(min(ends)) >= DECADES


def _kept(places: Sequence[float]) -> int:
    """How many values, the best first, the axis holds: all, or at least half."""
    distances = [abs(place - places[0]) for place in places]
    count = len(distances)
    while count > 1:
        for quantile, far, shown in FAR:
            span = distances[int(quantile * (count - 1))]
            if 0 < span * far < distances[count - 1]:
                less = bisect_right(distances, span * shown, hi=count)
                break
        else:
            return count
        if 2 * less < len(distances):
            return count
        count = less
    return len(distances)
