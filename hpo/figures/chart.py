"""What a figure consists of, as data: panels, axes, series. Numbers are left unrounded.

The page's script draws it (`content`), and matplotlib for print (`hpo.figures.matplotlib_drawing`). Lengths are pixels.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Series = dict[str, Any]
Axis = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    x: Axis
    y: Axis
    series: Sequence[Series]
    notes: Sequence[tuple[float, float, str]] = ()
    """Texts at points."""
    verticals: Sequence[float] = ()
    quiet: bool = False
    """Labels alone say what a point is, its coordinates mean nothing."""
    right: int = 0
    """Pixels to leave free at the right; 0: as usual."""
    least: int = 0
    """Pixels that it needs from left to right; on a narrower page it is scrolled."""
    whole: "Panel | None" = None
    """What is drawn instead when all values are asked for, where other limits of `y` do not do."""

    def content(self) -> Mapping[str, Any]:
        """For the page's script."""
        known = {key: value for key, value in vars(self).items() if value}
        return known if self.whole is None else {**known, "whole": self.whole.content()}

    def without_limits(self) -> "Panel":
        """With all values on its axes."""
        if self.whole is not None:
            return self.whole
        return replace(self, y=without_limits(self.y))


@dataclass(frozen=True)
class Chart:
    """One figure: a heading, a caption that says how to read it, and the panels."""

    name: str
    title: str
    caption: str = ""
    panels: Sequence[Panel] = ()
    height: int = 320
    label: str | None = None
    """What the data are when they are not measured; drawn inside the figure."""
    wide: bool = True
    columns: int = 1
    shared: str | None = None
    """`y` where all panels have the same range of y."""
    instead: str = "There is nothing to draw."
    """A sentence that takes the figure's place when it has no panels."""
    needless: bool = False
    """It says nothing about this experiment: pages leave it out."""
    remark: str = ""
    """What readers in print must know, who see no caption; drawn below the last x axis."""

    def without_limits(self) -> "Chart":
        """With all values on its axes."""
        if not any("limits" in panel.y for panel in self.panels):
            return self
        return replace(self, panels=[panel.without_limits() for panel in self.panels], remark="")

    def content(self) -> Mapping[str, Any]:
        """For the page's script."""
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
    """Curves that become one series, with a gap, a None, after each and where a value is not finite."""

    x: list[float | None] = field(default_factory=list)
    y: list[float | None] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def add(self, xs: Iterable[float], ys: Iterable[float], label: str) -> None:
        """One more curve."""
        places = list(xs)
        self.x += [*places, None]
        self.y += [*(finite(y) for y in ys), None]
        self.labels += [label] * len(places) + [""]

    def series(self, kind: str, name: str, colour: str, **keys: Any) -> Series:
        """The series."""
        return {"kind": kind, "name": name, "colour": colour, "x": self.x, "y": self.y, "labels": self.labels, **keys}


def finite(value: float) -> float | None:
    """The number, or None where JSON has none."""
    return value if math.isfinite(value) else None


def axis(title: str = "", **keys: Any) -> Axis:
    """An axis. Keys: log, range, ticks ((place, text), ...), reversed, percent, zero, whole, tight, bare, plain, above.

    What lies beyond its `limits` is marked at the edge; the keys in `all` hold when all values are asked for.
    """
    return {"title": title, **keys}


def without_limits(limited: Axis) -> Axis:
    """An axis as it is when all values are asked for."""
    kept = {key: value for key, value in limited.items() if key not in ("limits", "all")}
    return {**kept, **limited.get("all", {})}


def rows(names: Sequence[str]) -> Axis:
    """A y axis with a name for each row, the first on top."""
    return axis(ticks=list(enumerate(names)), range=[-0.6, len(names) - 0.4], reversed=True, plain=True)
