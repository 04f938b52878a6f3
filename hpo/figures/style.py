"""One look for all figures, of the report and on paper: colours that colour-blind readers can tell apart, small text.

The colours follow Okabe & Ito, "Color Universal Design" (2008), without its yellow. Each stands out from white by a contrast
of 3:1 at least, and its counterpart in `DARK` from a dark page; where colours have an order, the last stands out the most, on
both. Methods differ in the dashes of their lines, too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

COLOURS = ("#0072B2", "#D55E00", "#008663", "#B85C8F", "#B07500", "#3394D0", "#6B6B6B")
DASHES = ("", "8 5", "2 4", "9 4 2 4", "15 5")
"""Pixels drawn and left out, as SVG writes them."""
OUTCOME_COLOURS = {
    "completed": "#008663",
    "stopped": "#B07500",
    "paused": "#3394D0",
    "failed": "#D55E00",
    "running": "#B85C8F",
    "interrupted": "#6B6B6B",
}
STATUS_COLOURS = {**OUTCOME_COLOURS, "timeout": OUTCOME_COLOURS["failed"]}
"""Dots beside the states of trials in tables."""
DEPTHS = ("#3E9C8F", "#2E7DB8", "#4B4FA6", "#3B0F5C")
"""Points in slices, the least trained first."""
BANDS = ("#8A8F98", "#4583B4", "#23699F", "#0B4F86", "#D55E00")
"""Lines in parallel coordinates, the worst first; the best are orange, and drawn last."""
SHARES = (0.5, 0.25, 0.1, 0.02, 0.0)
"""Where each of those bands ends: so large a share of the trials is better."""
ACCENT = COLOURS[0]
NEUTRAL = "#767C86"
LAST = "last report of a trial"
NOT_MET = "last report, constraints not met"
"""Names of points; those that do not meet the constraints are hollow."""
DARK: Mapping[str, str] = {
    "#0072B2": "#4C9BE0",
    "#D55E00": "#FF8A3D",
    "#008663": "#2FC79A",
    "#B85C8F": "#D98BB8",
    "#B07500": "#E6A92E",
    "#3394D0": "#8FD0F5",
    "#6B6B6B": "#A3A3A3",
    "#767C86": "#9299A3",
    **dict(zip(DEPTHS, ("#6B7FC4", "#3FA7C4", "#74D6A8", "#F6F2A2"), strict=True)),
    **dict(zip(BANDS[:-1], ("#6B737E", "#5A8DBC", "#7FB5E3", "#C4E3F8"), strict=True)),
}
"""What stands for each colour on a dark page."""


def colour_of(index: int) -> str:
    """Of the `index`-th method."""
    return COLOURS[index % len(COLOURS)]


def dash_of(index: int) -> str:
    """Of the `index`-th method; repeats later than the colours, so that no two methods look alike."""
    return DASHES[index % len(DASHES)]


def data_label(metadata: Mapping[str, Any]) -> str | None:
    """What an experiment's data are when they are not measured, such as `semi-synthetic`; from its metadata."""
    label = metadata.get("data_label")
    return None if label in (None, "", "recorded", "real") else str(label)


def seconds_scale(most: float) -> tuple[float, str]:
    """Seconds per unit, and the unit, in which times up to `most` seconds are read easily."""
    for factor, unit, least in ((86400.0, "days", 3.0), (3600.0, "hours", 3.0), (60.0, "minutes", 5.0)):
        if most >= least * factor:
            return factor, unit
    return 1.0, "seconds"


def moments_scale(most: float, cost: str | None) -> tuple[float, str]:
    """What moments are divided by, and how their axis is called: elapsed time, or what trials have cost by a metric."""
    if cost is not None:
        return 1.0, f"{cost} of all trials"
    unit, name = seconds_scale(most)
    return unit, f"elapsed time, {name}"


def thinned(count: int, most: int) -> Sequence[int]:
    """Indices of at most `most` of `count` points, evenly spaced, the first and the last among them."""
    if count <= most:
        return range(count)
    if most < 2:
        return [count - 1]
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})
