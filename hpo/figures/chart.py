"""A figure as data: panels, axes and series. Numbers are not rounded.

The page's script (`content`) and matplotlib (`hpo.figures.matplotlib_drawing`) draw the same data. Lengths are pixels.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Series = dict[str, Any]
Axis = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """One pair of axes and the series on them."""

    x: Axis
    y: Axis
    series: Sequence[Series]
    notes: Sequence[tuple[float, float, str]] = ()
    """Texts at points, as (x, y, text)."""
    verticals: Sequence[float] = ()
    quiet: bool = False
    """Whether a point's coordinates mean nothing, so that only its label is shown."""
    right: int = 0
    """Pixels to leave free at the right; 0: the default."""
    least: int = 0
    """Smallest width in pixels; on a narrower page the panel can be scrolled."""
    whole: "Panel | None" = None
    """Panel that replaces this one when all values are shown, if other limits of `y` are not enough."""

    def content(self) -> Mapping[str, Any]:
        """Return the panel as plain values for the page's script."""
        known = {key: value for key, value in vars(self).items() if value}
        return known if self.whole is None else {**known, "whole": self.whole.content()}

    def without_limits(self) -> "Panel":
        """Return the panel with all values on its axes."""
        if self.whole is not None:
            return self.whole
        return replace(self, y=without_limits(self.y))


@dataclass(frozen=True)
class Chart:
    """A figure: a title, a caption that explains how to read it, and panels."""

    name: str
    title: str
    caption: str = ""
    panels: Sequence[Panel] = ()
    height: int = 320
    label: str | None = None
    """Kind of data if they are not measured, such as `semi-synthetic`; drawn inside the figure."""
    wide: bool = True
    columns: int = 1
    shared: str | None = None
    """`y` if all panels have the same range of y."""
    instead: str = "There is nothing to draw."
    """Sentence that replaces a figure without panels."""
    needless: bool = False
    """Whether the figure says nothing about this experiment, so that pages leave it out."""
    remark: str = ""
    """Text that readers in print need, since they see no caption; drawn below the last x axis."""

    def without_limits(self) -> "Chart":
        """Return the chart with all values on its axes."""
        if not any("limits" in panel.y for panel in self.panels):
            return self
        return replace(self, panels=[panel.without_limits() for panel in self.panels], remark="")

    def content(self) -> Mapping[str, Any]:
        """Return the chart as plain values for the page's script."""
        return {
            "name": self.name,
            "title": self.title,
            "panels": [panel.content() for panel in self.panels],
            "height": self.height,
            "label": None if self.label is None else f"{self.label} data",
            "columns": self.columns,
            "shared": self.shared,
        }


@dataclass
class Pieces:
    """Curves that become one series, separated by gaps (None) after each curve and at values that are not finite."""

    x: list[float | None] = field(default_factory=list)
    y: list[float | None] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def add(self, xs: Iterable[float], ys: Iterable[float], label: str) -> None:
        """Add a curve."""
        places = list(xs)
        self.x += [*places, None]
        self.y += [*(finite(y) for y in ys), None]
        self.labels += [label] * len(places) + [""]

    def series(self, kind: str, name: str, colour: str, **keys: Any) -> Series:
        """Return all curves as one series."""
        return {"kind": kind, "name": name, "colour": colour, "x": self.x, "y": self.y, "labels": self.labels, **keys}


def finite(value: float) -> float | None:
    """Return the number, or None if JSON cannot represent it."""
    return value if math.isfinite(value) else None


def axis(title: str = "", **keys: Any) -> Axis:
    """Return an axis of a chart as plain data.

    Keys: log, range, ticks ((place, text), …), reversed, percent, zero, whole, tight, bare, plain, above.
    Values beyond its `limits` are marked at the edge; the keys in `all` apply when all values are shown.
    """
    return {"title": title, **keys}


def without_limits(limited: Axis) -> Axis:
    """Return an axis on which all values are shown."""
    kept = {key: value for key, value in limited.items() if key not in ("limits", "all")}
    return {**kept, **limited.get("all", {})}


def rows(names: Sequence[str]) -> Axis:
    """Return a y axis with a name for each row, the first on top."""
    return axis(ticks=list(enumerate(names)), range=[-0.6, len(names) - 0.4], reversed=True, plain=True)
