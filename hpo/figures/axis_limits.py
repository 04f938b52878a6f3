"""Limits and scale of a metric's axis, the same for every figure, on pages and in print.

One diverged trial must not press all others into a line. Values far out lie beyond the axis limits and are drawn as marks
at its edge. If no value is far out, there are no limits and the axis shows everything.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from hpo.events.objective import Aim, Objective
from hpo.figures.chart import Axis, axis

FAR = ((0.9, 8.0, 1.75), (0.5, 40.0, 3.5))
"""Rules for limits: a quantile, the multiple of its distance from the best that is far out, and the one shown."""
FAR_IN_DECADES = ((0.9, 1.75, 1.75), (0.5, 5.0, 3.5))
"""The rules of `FAR` for distances between logarithms."""
DECADES = 2.0
"""Decades that the middle 90 % of positive values must span for a logarithmic axis."""

MOMENTS = 100
"""Number of moments at which a step function is sampled."""


def metric_axis(objective: Objective | Aim, values: Iterable[float | None]) -> Axis:
    """Return the axis for values of the metric, which always includes the best.

    Keys besides those of `axis`: limits, if values are far out; all, the keys that apply when all values are shown.
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
    """Return a sentence about how many values lie beyond the limits, and how far; empty if none does."""
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
    """Return a step function's values at evenly spaced moments, so that values count by how long they last.

    Args:
        times: Times of the steps, ascending.
        values: Value from each of these times on.
        end: The last moment.
    """
    moments = (times[0] + (end - times[0]) * i / MOMENTS for i in range(MOMENTS + 1))
    return [values[bisect_right(times, moment) - 1] for moment in moments]


def _from_best(objective: Objective | Aim, values: Iterable[float | None]) -> list[float]:
    """Return the finite values, the best first."""
    found = [value for value in values if value is not None and math.isfinite(value)]
    return sorted(found, reverse=objective.mode == "max")


def _spans_decades(ordered: Sequence[float], part: Sequence[float], cut: float) -> bool:
    """Whether all values are positive and a part of them, without a share `cut` at both ends, spans `DECADES`."""
    least = math.ceil(cut * len(part))
    middle = part[least : len(part) - least]
    if not middle or min(ordered[0], ordered[-1]) <= 0:
        return False
    return abs(math.log10(middle[0]) - math.log10(middle[-1])) >= DECADES


def _kept(places: Sequence[float], rules: Sequence[tuple[float, float, float]]) -> int:
    """Return how many values, the best first, fit on the axis: all, or at least half."""
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
