"""Figures of one experiment. Each takes a loaded experiment and axes, draws, and returns the axes."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo.errors import ConfigError
from hpo.figures.style import (
    ACCENT,
    BANDS,
    NEUTRAL,
    OUTCOME_COLOURS,
    SHARES,
    data_label,
    grid,
    on_axes,
    seconds_scale,
    with_label,
)
from hpo.history import curves as history
from hpo.history import importance as shares
from hpo.history.points import marks, points, position, short, unit
from hpo.results.experiment import Experiment
from hpo.space.domains import LOG, Choice, Float, Integer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@on_axes()
def anytime(experiment: Experiment, ax: "Axes") -> None:
    """Best result so far against elapsed time, and the last report of each trial."""
    objective = experiment.state.objective
    path = history.trajectory(experiment)
    seconds, name = seconds_scale(experiment.state.elapsed)
    last = [(curve.elapsed[-1] / seconds, curve.values[-1]) for curve in history.curves(experiment)]
    ax.plot(*zip(*last, strict=True), ".", color=NEUTRAL, alpha=0.45, ms=3.5, label="last report of a trial")
    times = [time / seconds for time in [*path.times.tolist(), experiment.state.elapsed]]
    values = [objective.value(loss) for loss in path.losses.tolist()]
    ax.step(
        times,
        [*values, *values[-1:]][: len(times)] or [math.nan],
        where="post",
        color=ACCENT,
        lw=2,
        label="best so far",
    )
    ax.set(xlabel=f"elapsed time, {name}", ylabel=objective.metric)
    ax.set_title(_title(experiment, "Best result so far"))
    ax.legend(loc="lower right", frameon=True, framealpha=0.9, edgecolor="none")


@on_axes()
def curves(experiment: Experiment, ax: "Axes") -> None:
    """One learning curve per trial, coloured by what became of it."""
    from matplotlib.collections import LineCollection

    found = history.curves(experiment)
    for outcome, colour in OUTCOME_COLOURS.items():
        group = [curve for curve in found if curve.outcome == outcome]
        paths = [np.column_stack([curve.resources, curve.values]) for curve in group if len(curve.resources) > 1]
        lone = [(curve.resources[0], curve.values[0]) for curve in group if len(curve.resources) == 1]
        ax.add_collection(LineCollection(paths, colors=colour, linewidths=0.7, alpha=0.6))
        if lone:  # one report makes no line
            ax.plot(*zip(*lone, strict=True), ".", color=colour, ms=3, alpha=0.6)
        if group:
            ax.plot([], [], color=colour, label=f"{outcome} ({len(group)})")
    ax.autoscale()
    objective = experiment.state.objective
    ax.set(xlabel=objective.resource_attr or "report", ylabel=objective.metric)
    ax.set_title(_title(experiment, "Learning curves"))
    ax.legend()


@on_axes(height=2.6)
def rungs(experiment: Experiment, ax: "Axes") -> None:
    """How many trials reached each rung, and what became of them there."""
    found = history.rungs(experiment)
    resource = experiment.state.objective.resource_attr or "report"
    names = [f"{resource} {rung.level}" for rung in found]
    start = [0] * len(found)
    parts = (("went on", "went_on", "completed"), ("waiting", "waiting", "paused"), ("ended here", "ended", ""))
    for label, key, outcome in parts:
        counts = [getattr(rung, key) for rung in found]
        ax.barh(names, counts, left=start, color=OUTCOME_COLOURS.get(outcome, NEUTRAL), label=label, height=0.7)
        start = [a + b for a, b in zip(start, counts, strict=True)]
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("trials")
    ax.set_title(_title(experiment, "Rungs"))
    ax.legend()


@on_axes(width=7.0, height=2.8)
def workers(experiment: Experiment, ax: "Axes") -> None:
    """Attempts on their workers; what stays empty is idle time."""
    from matplotlib.ticker import MaxNLocator

    line = history.timeline(experiment)
    seconds, name = seconds_scale(line.elapsed)
    for outcome, colour in OUTCOME_COLOURS.items():
        group = [attempt for attempt in line.attempts if history.outcome(attempt.status) == outcome]
        for lane in sorted({attempt.lane for attempt in group}):
            own = [attempt for attempt in group if attempt.lane == lane]
            spans = [(attempt.start / seconds, (attempt.end - attempt.start) / seconds) for attempt in own]
            ax.broken_barh(spans, (lane + 0.64, 0.72), facecolors=colour, edgecolors="black", linewidths=0.1)
        if group:
            ax.plot([], [], "s", color=colour, label=outcome)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set(xlabel=f"elapsed time, {name}", ylabel="worker")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_title(_title(experiment, f"Workers, busy {line.utilisation:.1%}"))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


@on_axes(height=2.8)
def importance(experiment: Experiment, ax: "Axes") -> None:
    """Main effects of the hyperparameters with their intervals.

    Raises:
        ConfigError: there is too little data.
    """
    found = shares.importance(experiment)
    if found.reason is not None:
        raise ConfigError(f"importance cannot be drawn for {experiment.directory}: {found.reason}")
    names = [share.name for share in found.shares]
    below = [max(share.share - share.low, 0.0) for share in found.shares]
    above = [max(share.high - share.share, 0.0) for share in found.shares]
    colour = ACCENT if found.trusted else NEUTRAL
    ax.barh(names, [s.share for s in found.shares], xerr=[below, above], color=colour, height=0.62, capsize=3)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    resource = experiment.state.objective.resource_attr or "report"
    ax.set_xlabel(f"share of variance of the rank at {resource} {found.resource} (out-of-bag R² {found.explained:.2f})")
    ax.set_title(_title(experiment, "Hyperparameter importance" + ("" if found.trusted else ", not trustworthy")))


@on_axes(width=3.0, height=2.6)
def slice_of(experiment: Experiment, ax: "Axes", name: str) -> None:
    """Each trial's last metric against one hyperparameter.

    Raises:
        ConfigError: there is no such hyperparameter.
    """
    domains = experiment.config.space.domains
    if name not in domains:
        raise ConfigError(f"name={name}: the hyperparameters are {', '.join(domains)}; choose one of them")
    domain, found = domains[name], points(experiment)
    if isinstance(domain, Choice):
        names = [short(choice)[:14] for choice in domain.choices]
        ax.set_xticks(range(len(names)), names, rotation=30, ha="right")
    elif isinstance(domain, Float | Integer) and domain.scale is LOG:
        ax.set_xscale("log")
    places = [position(domain, p.configuration[name], p.trial) for p in found]
    deepest = max((p.resource for p in found), default=1)
    depth = [p.resource / deepest for p in found]
    ax.scatter(places, [p.value for p in found], c=depth, s=7, cmap="Blues", vmin=-0.5, vmax=1, lw=0)
    ax.set(xlabel=name, ylabel=experiment.state.objective.metric)


@on_axes(width=8.0, height=3.6)
def parallel(experiment: Experiment, ax: "Axes") -> None:
    """One line per trial through all hyperparameters to its last metric, the best on top."""
    from matplotlib.collections import LineCollection

    objective, domains = experiment.state.objective, experiment.config.space.domains
    found = sorted((p for p in points(experiment) if math.isfinite(p.loss)), key=lambda p: (-p.loss, p.trial))
    values = [p.value for p in found] or [0.0]
    low, high = min(values), max(values)
    start = 0
    for colour, share in zip(BANDS, SHARES, strict=True):
        stop = max(start, len(found) - math.ceil(share * len(found)))
        paths = []
        for p in found[start:stop]:
            units = [unit(domain, p.configuration[name], p.trial) for name, domain in domains.items()]
            units.append((p.value - low) / (high - low) if high > low else 0.5)
            paths.append(list(enumerate(units)))
        best = share == 0
        look: dict[str, Any] = {"linewidths": 1.2 if best else 0.5, "alpha": 0.95 if best else 0.6}
        ax.add_collection(LineCollection(paths, colors=colour, **look))
        start = stop
    names = [*domains, objective.metric]
    for place, domain in enumerate(domains.values()):
        for at, text in marks(domain):
            _note(ax, place, at, text[:16])
    _note(ax, len(domains), 0.0, f"{low:.4g}")
    _note(ax, len(domains), 1.0, f"{high:.4g}")
    for place in range(len(names)):
        ax.axvline(place, color="#4A4F57", lw=0.7)
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks([])
    ax.set(xlim=(-0.1, len(names) - 0.6), ylim=(-0.04, 1.04))
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set_title(_title(experiment, f"Parallel coordinates, the best {SHARES[-2]:.0%} in orange"))


def _note(ax: "Axes", x: float, y: float, text: str) -> None:
    box = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.6}
    ax.annotate(text, (x, y), (3, 0), textcoords="offset points", va="center", size=6.5, bbox=box)


def slices(experiment: Experiment, figure: "Figure | None" = None) -> "Figure":
    """`slice_of` every hyperparameter, in one figure."""
    names = list(experiment.config.space.domains)
    drawn, axes = grid(len(names), figure)
    for name, ax in zip(names, axes, strict=True):
        slice_of(experiment, ax, name=name)
    resource = experiment.state.objective.resource_attr or "report"
    drawn.suptitle(_title(experiment, f"Slices; the darker, the more of {resource}"), x=0.01, ha="left", weight="bold")
    return drawn


def _title(experiment: Experiment, what: str) -> str:
    config = experiment.config
    return with_label(f"{what}: {config.benchmark.name}, {config.method.name}", data_label(experiment))
