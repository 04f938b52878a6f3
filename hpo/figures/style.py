"""Common style of all figures, on pages and in print: colours that colour-blind readers can tell apart, small text.

The colours follow Okabe & Ito, "Color Universal Design" (2008), without its yellow. Each has a contrast of at least 3:1 to
white, and its counterpart in `DARK` to a dark page. In ordered colours the last stands out most, on both. Methods also differ
in the dashes of their lines.
"""

from collections.abc import Mapping, Sequence
from typing import Any

COLOURS = ("#0072B2", "#D55E00", "#008663", "#B85C8F", "#B07500", "#3394D0", "#6B6B6B")
DASHES = ("", "8 5", "2 4", "9 4 2 4", "15 5")
"""Dash patterns: pixels drawn and left out, as SVG writes them."""
OUTCOME_COLOURS = {
    "completed": "#008663",
    "stopped": "#B07500",
    "paused": "#3394D0",
    "failed": "#D55E00",
    "running": "#B85C8F",
    "interrupted": "#6B6B6B",
}
STATUS_COLOURS = {**OUTCOME_COLOURS, "timeout": OUTCOME_COLOURS["failed"]}
"""Colours of the dots beside trials' states in tables."""
DEPTHS = ("#3E9C8F", "#2E7DB8", "#4B4FA6", "#3B0F5C")
"""Colours of points in slices, from the least trained to the most."""
BANDS = ("#8A8F98", "#4583B4", "#23699F", "#0B4F86", "#D55E00")
"""Colours of lines in parallel coordinates, from the worst to the best; the best are orange and drawn last."""
SHARES = (0.5, 0.25, 0.1, 0.02, 0.0)
"""Share of trials that are better than each of the `BANDS`."""
ACCENT = COLOURS[0]
NEUTRAL = "#767C86"
LAST = "last report of a trial"
NOT_MET = "last report, constraints not met"
"""Name of points that do not meet the constraints, which are hollow."""
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
"""Counterpart of each colour on a dark page."""


def colour_of(index: int) -> str:
    """Return the colour of the `index`-th method."""
    return COLOURS[index % len(COLOURS)]


def dash_of(index: int) -> str:
    """Return the dash pattern of the `index`-th method; patterns repeat later than colours, so no two methods look alike."""
    return DASHES[index % len(DASHES)]


def data_label(metadata: Mapping[str, Any]) -> str | None:
    """Return the kind of an experiment's data if they are not measured, such as `semi-synthetic`, from its metadata."""
    label = metadata.get("data_label")
    return None if label in (None, "", "recorded", "real") else str(label)


def seconds_scale(most: float) -> tuple[float, str]:
    """Return a readable unit for times up to `most` seconds: seconds per unit, and its name."""
    for factor, unit, least in ((86400.0, "days", 3.0), (3600.0, "hours", 3.0), (60.0, "minutes", 5.0)):
        if most >= least * factor:
            return factor, unit
    return 1.0, "seconds"


def moments_scale(most: float, cost: str | None) -> tuple[float, str]:
    """Return the divisor and the axis title for moments, which are elapsed time or the cost of trials by a metric."""
    if cost is not None:
        return 1.0, f"{cost} of all trials"
    unit, name = seconds_scale(most)
    return unit, f"elapsed time, {name}"


def thinned(count: int, most: int) -> Sequence[int]:
    """Return the indices of at most `most` of `count` points, evenly spaced and including the first and the last."""
    if count <= most:
        return range(count)
    if most < 2:
        return [count - 1]
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})
