"""What an axis of a metric shows, and on which scale: decided here, for every figure, for page and print.

One diverged trial must not press all others into a line. Values far out lie beyond the limits of the axis and are drawn as
marks at its edge; where nothing is far out there are no limits, and the axis shows everything.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from hpo.events.objective import Aim, Objective
from hpo.figures.chart import Axis, axis

FAR = ((0.9, 8.0, 1.75), (0.5, 40.0, 3.5))
"""A quantile, how many times its distance from the best the worst must have to be far out, and how many times are shown."""
FAR_IN_DECADES = ((0.9, 1.75, 1.75), (0.5, 5.0, 3.5))
"""The same where distances are those of logarithms."""
DECADES = 2.0
"""Positive values whose middle nine tenths span so many are drawn on a logarithmic axis."""

MOMENTS = 100
"""At so many a step function is looked at."""


def metric_axis(objective: Objective | Aim, values: Iterable[float | None]) -> Axis:
    """The axis for values of the metric. The best is always on it.

    Keys besides those of `axis`: limits, where values are far out; all, keys that hold instead when all values are shown.
    """
    ordered = _from_best(objective, values)
    kept = _kept(ordered, FAR)
    log = _spans_decades(ordered, ordered[:kept], 0.05)
    if log:
        kept = _kept([math.log10(value) for value in ordered], FAR_IN_DECADES)
    if kept == len(ordered):
        return axis(objective.metric, **({"log": True} if log else {}))
    limits = sorted((ordered[0], ordered[kept - 1]))
    return axis(objective.metric, log=log, limits=limits, all={"log": _spans_decades(ordered, ordered, 0.0)})


def beyond(objective: Objective | Aim, drawn: Axis, values: Iterable[float | None]) -> str:
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


def over_time(times: Sequence[float], values: Sequence[float | None], end: float) -> list[float | None]:
    """The values of a step function at even moments: what it soon leaves counts less than what it stays at.

    Args:
        times: of its steps, ascending.
        values: from each of them on.
        end: the last moment.
    """
    moments = (times[0] + (end - times[0]) * i / MOMENTS for i in range(MOMENTS + 1))
    return [values[bisect_right(times, moment) - 1] for moment in moments]


def _from_best(objective: Objective | Aim, values: Iterable[float | None]) -> list[float]:
    """Those that are finite, the best first."""
    found = [value for value in values if value is not None and math.isfinite(value)]
    return sorted(found, reverse=objective.mode == "max")


def _spans_decades(ordered: Sequence[float], part: Sequence[float], cut: float) -> bool:
    """Are all values positive, and does a part of them, without a share `cut` at both ends, span decades?"""
    least = math.ceil(cut * len(part))
    middle = part[least : len(part) - least]
    if not middle or min(ordered[0], ordered[-1]) <= 0:
        return False
    return abs(math.log10(middle[0]) - math.log10(middle[-1])) >= DECADES


def _kept(places: Sequence[float], rules: Sequence[tuple[float, float, float]]) -> int:
    """How many values, the best first, the axis holds: all, or at least half."""
    distances = [abs(place - places[0]) for place in places]
    count = len(distances)
    while count > 1:
        for quantile, far, shown in rules:
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
