"""One look for all figures, of the report and on paper: colours that colour-blind readers can tell apart, small text.

The colours are those of Okabe & Ito, "Color Universal Design" (2008), without its yellow, which is too pale for lines.
Methods differ in the dashes of their lines, too.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from hpo.errors import ConfigError, installing
from hpo.results.experiment import Experiment

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6B6B6B")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
"""By plotly's names; `LINES` has matplotlib's."""
LINES: Mapping[str, Any] = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdash": (0, (8, 3))}
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

STYLE: Mapping[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": NEUTRAL,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E5E8",
    "grid.linewidth": 0.6,
    "xtick.color": "#4A4F57",
    "ytick.color": "#4A4F57",
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "savefig.bbox": "tight",
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "hpo",
    "text.parse_math": False,
}
"""Settings of matplotlib, for `matplotlib.rc_context`; text stays text in PDF and SVG."""


def styled() -> AbstractContextManager[None]:
    """`STYLE`, for as long as the context lasts.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
    except ImportError:
        raise ConfigError(
            f"figures are drawn with matplotlib, which is not installed; {installing('report')}"
        ) from None
    settings: Any = STYLE  # matplotlib types its keys one by one
    return rc_context(settings)


def on_axes(width: float = 5.6, height: float = 3.4) -> Callable[[Callable[..., None]], Callable[..., "Axes"]]:
    """Makes a drawing function callable without axes, gives it the style, and returns the axes.

    Args:
        width: of the figure that is made when no axes are given, in inches.
        height: of that figure.
    """

    def decorate(draw: Callable[..., None]) -> Callable[..., "Axes"]:
        @functools.wraps(draw)
        def drawn(subject: Any, ax: "Axes | None" = None, **keys: Any) -> "Axes":
            with styled():
                axes: Axes = new_figure(width, height).subplots() if ax is None else ax
                draw(subject, axes, **keys)
            return axes

        return drawn

    return decorate


def grid(count: int, figure: "Figure | None" = None) -> "tuple[Figure, list[Axes]]":
    """A figure with so many axes, three in a row, which share y."""
    columns = min(3, count)
    rows = -(-count // columns)
    with styled():
        made = new_figure(3.0 * columns, 2.5 * rows + 0.3) if figure is None else figure
        axes = made.subplots(rows, columns, sharey=True, squeeze=False).ravel().tolist()
    for spare in axes[count:]:
        spare.remove()
    return made, axes[:count]


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure that pyplot does not keep."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def colour_of(index: int) -> str:
    """Of the `index`-th method."""
    return COLOURS[index % len(COLOURS)]


def dash_of(index: int) -> str:
    """Of the `index`-th method; repeats later than the colours, so that no two methods look alike."""
    return DASHES[index % len(DASHES)]


def data_label(experiment: Experiment) -> str | None:
    """What an experiment's data are when they are not measured, such as `semi-synthetic`."""
    label = experiment.metadata.get("data_label")
    return None if label in (None, "", "recorded", "real") else str(label)


def with_label(title: str, label: str | None) -> str:
    """A title that says what the data are."""
    return f"{title} ({label} data)" if label else title


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
