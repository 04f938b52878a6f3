"""Draws a chart with matplotlib, for print: what the page's script draws, with the legend between title and axes."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo.errors import ConfigError, how_to_install
from hpo.figures.chart import Axis, Chart, Series
from hpo.figures.style import NEUTRAL

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINT = 0.75
"""Points of 1/72 inch per pixel of a chart."""
INK = "#4A4F57"
EDGE = 60.0
"""Points of a figure's width that labels at its sides take."""

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
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "savefig.bbox": "tight",
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "hpo",
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
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
            f"figures are drawn with matplotlib, which is not installed; {how_to_install('report')}"
        ) from None
    settings: Any = STYLE  # matplotlib types its keys one by one
    return rc_context(settings)


def draw(chart: Chart, ax: "Axes | None" = None) -> "Axes":
    """A chart of one panel, or the sentence that takes its place, on axes or on those of a new figure."""
    with styled():
        axes: Axes = _new_figure(chart).subplots() if ax is None else ax
        _fill(chart, [axes], _points(axes) if ax is not None else _points(axes.figure) - EDGE)
    return axes


def draw_panels(chart: Chart, figure: "Figure | None" = None) -> "Figure":
    """All panels of a chart, in a figure or in a new one."""
    count = max(1, len(chart.panels))
    columns = min(chart.columns, count)
    with styled():
        made = _new_figure(chart) if figure is None else figure
        grid = made.subplots(math.ceil(count / columns), columns, sharey=chart.shared == "y", squeeze=False)
        axes = grid.ravel().tolist()
        for spare in axes[count:]:
            spare.remove()
        _fill(chart, axes[:count], _points(made) - EDGE)
    return made


def _new_figure(chart: Chart) -> "Figure":
    """An empty figure that pyplot does not keep."""
    from matplotlib.figure import Figure

    height = chart.height if chart.panels else 60
    return Figure(figsize=(7.5 if chart.wide else 5.6, 0.5 + height / 100), layout="constrained")


def _points(drawn: Any) -> float:
    """The width of a figure or of axes."""
    return float(drawn.bbox.width / drawn.get_figure().dpi * 72)


def _fill(chart: Chart, axes: Sequence["Axes"], room: float) -> None:
    """Panels on their axes, title and legend above the first ones.

    Args:
        chart: the chart.
        axes: as many as there are panels; one where there are none.
        room: points for title and legend from left to right.
    """
    keys: dict[str, Artist] = {}
    for ax, panel in zip(axes, chart.panels, strict=False):
        for place in panel.verticals:
            ax.axvline(place, color=INK, lw=0.8)
        for series in panel.series:
            artist = _mark(ax, series)
            if series["name"] and series["name"] not in keys and not series.get("context"):
                artist.set_label(series["name"])
                keys[series["name"]] = artist
        for x, y, text in panel.notes:
            box = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.6}
            ax.annotate(_cut(text, 16), (x, y), (3, 0), textcoords="offset points", va="center", size=6.5, bbox=box)
        for letter, axis in (("x", panel.x), ("y", panel.y)):
            _scale(ax, letter, axis)
        if "limits" in panel.y:
            for series in panel.series:
                _mark_beyond(ax, series)
    if chart.remark:
        axes[-1].set_xlabel(f"{axes[-1].get_xlabel()}\n{chart.remark}".lstrip("\n"))
    if not chart.panels:
        axes[0].text(0.5, 0.5, textwrap.fill(chart.instead, 50), ha="center", va="center", transform=axes[0].transAxes)
        axes[0].set_axis_off()
    columns = max(1, int(room / (36 + 5 * max(map(len, keys), default=0))))
    if keys:
        look: dict[str, Any] = {"ncols": columns, "borderaxespad": 0.3, "borderpad": 0, "columnspacing": 1.5}
        legend = axes[0].legend(list(keys.values()), list(keys), loc="lower left", bbox_to_anchor=(0, 1), **look)
        legend.set_in_layout(False)  # the first of many axes must not become as wide as the legend of all
    title = chart.title + (f" ({chart.label}\xa0data)" if chart.label else "")  # not broken in there
    title = textwrap.fill(title, max(20, int(room / 5.7)), break_on_hyphens=False).replace("\xa0", " ")
    axes[0].set_title(title, pad=6 + 12 * math.ceil(len(keys) / columns))


def _mark(ax: "Axes", series: Series) -> "Artist":
    """One series; what stands for it in the legend."""
    from matplotlib.collections import PolyCollection

    kind, look = series["kind"], {"color": series["colour"], "alpha": series.get("opacity")}
    known = [key for key in ("x", "y", "x0", "low", "high", "bottom", "top") if key in series]
    data = {key: np.array(series[key], dtype=float) for key in known}  # None, a gap, is nan
    if kind == "band":
        step: Any = "post" if series.get("step") else None
        return ax.fill_between(data["x"], data["bottom"], data["top"], step=step, lw=0, zorder=1, **look)
    if "low" in data:
        there = np.isfinite(data["low"])
        low, high, y = data["low"][there], data["high"][there], data["y"][there]
        pen: dict[str, Any] = {"color": INK, "zorder": 2.5} if kind == "bars" else {**look, "zorder": 1.5}
        ax.hlines(y, low, high, lw=1.1, **pen)
        ax.scatter([*low, *high], [*y, *y], s=16, marker="|", linewidths=1.1, **pen)
    if kind == "bars":
        half, spans = series["thick"] / 2, zip(data["x0"], data["x"], data["y"], strict=True)
        corners = [[(a, y - half), (a, y + half), (b, y + half), (b, y - half)] for a, b, y in spans if b > a]
        bars = PolyCollection(corners, facecolors=series["colour"], edgecolors="black", linewidths=0.1, zorder=2)
        return ax.add_collection(bars)
    width, dash = series.get("width", 1.2) * POINT, series.get("dash")
    size = series.get("size", 4) if kind == "points" else series.get("dots", 0)
    if kind == "points":
        look["ls"] = "none"
    elif dash:
        look["ls"] = (0, [float(length) * POINT / width for length in dash.split()])
    look |= {"marker": "o" if size else "", "ms": size * POINT, "mew": 0.0, "lw": width}
    if series.get("hollow"):
        look |= {"mfc": "white", "mew": 1.4}
    if series.get("step"):
        look["drawstyle"] = "steps-post"
    end = len(series["x"]) - (series["x"][-1:] == [None])  # nothing follows the last gap
    return ax.plot(data["x"][:end], data["y"][:end], **look)[0]


def _mark_beyond(ax: "Axes", series: Series) -> None:
    """Triangles at the edges, for points beyond them."""
    x, y = np.array(series["x"], dtype=float), np.array(series["y"], dtype=float)
    for place, marker, out in ((0.0, "v", y < ax.get_ylim()[0]), (1.0, "^", y > ax.get_ylim()[1])):
        if out.any():
            look: dict[str, Any] = {"c": series["colour"], "s": 16, "lw": 0, "clip_on": False, "zorder": 3}
            ax.scatter(x[out], np.full(out.sum(), place), marker=marker, transform=ax.get_xaxis_transform(), **look)


def _scale(ax: "Axes", letter: str, axis: Axis) -> None:
    """Range, ticks and title of an axis, by the keys of `chart.axis`; `above` is for pages."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    own = ax.xaxis if letter == "x" else ax.yaxis
    own.set_label_text(axis["title"])
    ax.set(**{f"{letter}margin": 0.0 if axis.get("tight") else 0.04})
    if axis.get("log"):
        ax.set(**{f"{letter}scale": "log"})
    ax.autoscale(axis="x" if letter == "x" else "y")
    low, high = own.get_data_interval()
    if "range" in axis:
        ax.set(**{f"{letter}lim": axis["range"]})
    elif "limits" in axis:
        scale = own.get_transform()
        ends = scale.transform(np.array(axis["limits"]))
        room = 0.04 * (ends[1] - ends[0])
        ax.set(**{f"{letter}lim": scale.inverted().transform(ends + np.array((-room, room)))})
    elif axis.get("zero") and low >= 0:
        ax.set(**{f"{letter}lim": (0, None)})
    elif axis.get("zero") and high <= 0:
        ax.set(**{f"{letter}lim": (None, 0)})
    if axis.get("log"):
        start, stop = own.get_view_interval()
        most = max(2, own.get_tick_space() - 1)  # it reckons with labels of three figures
        few = 3 * math.log10(stop / start) <= most
        own.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,), numticks=most))
        own.set_major_formatter(lambda value, _: f"{value:g}")  # not powers of ten: they would be drawn as LaTeX
        own.set_minor_formatter(NullFormatter())
    elif "ticks" in axis:
        texts = [_cut(text, 18 if letter == "x" else 36) for _, text in axis["ticks"]]
        own.set_ticks([place for place, _ in axis["ticks"]], texts)
        if letter == "x" and any(2.5 * len(a + b) + 8 > _points(ax) / len(texts) for a, b in pairwise(texts)):
            ax.tick_params("x", rotation=30)
            for label in own.get_ticklabels():
                label.set(ha="right", rotation_mode="anchor")
    elif axis.get("whole"):
        own.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if axis.get("percent"):
        own.set_major_formatter(lambda value, _: f"{100 * value:g}%")
    if axis.get("reversed"):
        own.set_inverted(True)
    if axis.get("plain") or axis.get("bare"):
        own.grid(visible=False)
    if axis.get("bare"):
        ax.spines["bottom" if letter == "x" else "left"].set_visible(False)
        if letter == "y":
            own.set_ticks([])


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
