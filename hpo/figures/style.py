"""One look for all figures, of the report and on paper: colours that colour-blind readers can tell apart, small text.

The colours are those of Okabe & Ito, "Color Universal Design" (2008), without its yellow, which is too pale for lines.
Methods differ in the dashes of their lines, too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6B6B6B")
DASHES = ("", "8 5", "2 4", "9 4 2 4", "15 5")
"""Pixels drawn and left out, as SVG writes them."""
OUTCOME_COLOURS = {
    "completed": "#009E73",
    "stopped": "#E69F00",
    "paused": "#56B4E9",
    "failed": "#D55E00",
    "running": "#CC79A7",
}
DEPTHS = ("#9CC9E8", "#56A0D3", "#1F6FB2", "#08306B")
"""Points in slices, the least trained first."""
BANDS = ("#C3C8CF", "#9DC3E2", "#4C97CE", "#0B5A97", "#D55E00")
"""Lines in parallel coordinates, the worst first; the best are orange, and drawn last."""
SHARES = (0.5, 0.25, 0.1, 0.02, 0.0)
"""Where each of those bands ends: so large a share of the trials is better."""
ACCENT = COLOURS[0]
NEUTRAL = "#8A8F98"


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


def thinned(count: int, most: int) -> Sequence[int]:
    """Indices of at most `most` of `count` points, evenly spaced, the first and the last among them."""
    if count <= most:
        return range(count)
    if most < 2:
        return [count - 1]
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})
