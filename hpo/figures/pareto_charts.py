"""Charts of multi-objective experiments: trials and their Pareto front, hypervolume over time, attainment over seeds."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hpo.analysis.attainment import attainment
from hpo.analysis.loading import LoadedExperiment
from hpo.events.objective import Aim
from hpo.events.text import configuration_text
from hpo.figures.axis_limits import beyond, metric_axis
from hpo.figures.chart import Axis, Chart, Panel, Pieces, Series, axis, without_limits
from hpo.figures.experiment_charts import nothing_yet
from hpo.figures.style import (
    ACCENT,
    COLOURS,
    LAST,
    NEUTRAL,
    NOT_MET,
    colour_of,
    dash_of,
    data_label,
    seconds_scale,
    thinned,
)
from hpo.history.curves import curves
from hpo.history.hypervolume_over_time import growth
from hpo.history.record import Subject
from hpo.surrogate.arrays import Floats
from hpo.surrogate.hypervolume import front_of

MOST_POINTS = 1_500
"""Largest number of trials in each panel; the Pareto front is always complete."""
LONGEST = 160
"""Largest number of characters of a configuration beside a point."""
RESULT = "a result that is finite in all objectives"
COLUMNS = 3
PAIR = 280
"""Height in pixels of each of several panels."""
FRONT = COLOURS[1]
QUARTILES = (0.25, 0.5, 0.75)

Values = Sequence[float]
"""One value per objective, in its own unit; nan if it is not finite."""


def front(experiment: Subject, *, whole: bool = False) -> Chart:
    """Chart all trials and the Pareto front as steps, for each pair of objectives; `whole`: never thinned."""
    state, title = experiment.state, "Front"
    aims = state.objective.aims
    if not state.front:
        return Chart("front", title, instead=nothing_yet(experiment, RESULT))
    resource = state.objective.resource_attr or "report"

    def label(trial: int, at: int) -> str:
        text = configuration_text(state.trials[trial].trial.configuration)
        return f"trial {trial}, {resource} {at}: {text if len(text) <= LONGEST else f'{text[:LONGEST]}…'}"

    reported = curves(experiment)
    met: list[tuple[Values, str]] = []
    broken: list[tuple[Values, str]] = []
    kept = reported if whole else [reported[i] for i in thinned(len(reported), MOST_POINTS)]
    for curve in kept:
        values = _values(aims, state.trials[curve.trial].losses)
        (met if curve.feasible[-1] else broken).append((values, label(curve.trial, curve.resources[-1])))
    best = [(_values(aims, point.losses), label(point.trial_id, point.resource)) for point in state.front]
    last = [_values(aims, state.trials[curve.trial].losses) for curve in reported]
    panels = []
    for first, second in itertools.combinations(range(len(aims)), 2):
        every = [*last, *(values for values, _ in best)]
        series = [_points(met, first, second, LAST, NEUTRAL)] if met else []
        if broken:
            series.append(_points(broken, first, second, NOT_MET, NEUTRAL, hollow=True))
        series.append(_points(best, first, second, "on the front", FRONT, size=7))
        panel = _pair(aims, first, second, series, every, [values for values, _ in best])
        steps = _steps(aims, first, second, [values for values, _ in best], every, panel.y.get("limits"))
        panels.append(replace(panel, series=[*series[:-1], steps, series[-1]]))
    y = panels[0].y
    out = beyond(aims[0], y, [values[0] for values in last]) if len(aims) == 2 else ""
    caption = (
        f"Points are the last report of each trial; the line is the front: the reports, at any {resource}, that no other "
        "equals in all objectives and betters in one. What lies beyond its steps is attained, what lies before them is not."
    )
    if len(aims) > 2:
        caption += (
            " In each panel the line is the front of its two objectives; the larger points are on the front of all."
        )
    if broken:
        caption += " Hollow points do not meet the constraints."
    if len(kept) < len(reported):
        caption += f" Thinned: {len(kept):,} of {len(reported):,} trials, evenly spaced by number."
    return Chart(
        "front",
        title,
        f"{caption} {out}".rstrip(),
        panels,
        height=_height(panels),
        label=data_label(experiment.metadata),
        wide=len(panels) > 1,
        columns=min(COLUMNS, len(panels)),
        remark=out,
    )


def hypervolume(experiment: Subject) -> Chart:
    """Chart the share of the box up to the reference point that the Pareto front dominates, against elapsed time."""
    title, found = "Hypervolume over time", growth(experiment)
    if found is None:
        none = nothing_yet(experiment, RESULT)
        if experiment.state.front:
            none = "No report is better than the reference point in all objectives yet."
        return Chart("hypervolume", title, instead=none, wide=False)
    unit, name = seconds_scale(experiment.state.elapsed)
    line = Pieces()
    times = [time / unit for time in [*found.times.tolist(), experiment.state.elapsed]]
    line.add(times, [*found.shares.tolist(), float(found.shares[-1])], "front so far")
    point = experiment.state.objective.values(found.box.reference.tolist())
    caption = (
        "The share that the front so far dominates of the box from the best value of each objective to the reference point "
        + ", ".join(f"{metric}={value:.6g}" for metric, value in point.items())
        + "."
    )
    y = axis("hypervolume", zero=True)
    panel = Panel(
        axis(f"elapsed time, {name}", zero=True), y, [line.series("line", "front so far", ACCENT, width=2.4, step=True)]
    )
    return Chart("hypervolume", title, caption, [panel], 330, data_label(experiment.metadata), wide=False)


def attained(number: int, benchmark: str, runs: Sequence[LoadedExperiment], label: str | None) -> Chart:
    """Chart what half of a method's seeds attained, and a band from a quarter to three, by pairs of objectives."""
    title, name = f"Attained: {benchmark}", f"attained-{number}"
    found = [run for run in runs if len(run.arrivals)]
    if not found:
        return Chart(name, title, instead="No experiment has a finite result in all objectives yet.")
    aims = found[0].config.objective.aims
    fronts = {run.label: [_front_of(other) for other in found if other.label == run.label] for run in found}
    every = [_values(aims, losses) for own in fronts.values() for one in own for losses in one.tolist()]
    panels = []
    for first, second in itertools.combinations(range(len(aims)), 2):
        lines: list[Series] = []
        bands: list[Series] = []
        for index, (method, own) in enumerate(fronts.items()):
            surfaces = _surfaces(own, aims, first, second, every)
            line = Pieces()
            line.add(surfaces.x, surfaces.middle, f"median of {len(own)}: {method}")
            look: dict[str, Any] = {"dash": dash_of(index), "width": 2.4, "step": True}
            lines.append(line.series("line", method, colour_of(index), **look))
            if len(own) > 2:
                band = {"kind": "band", "step": True, "x": surfaces.x, "bottom": surfaces.low, "top": surfaces.high}
                bands.append({**band, "name": method, "colour": colour_of(index), "opacity": 0.13})
        panels.append(_pair(aims, first, second, [*lines, *bands], every, every))
    caption = (
        "Attainment surfaces at the end: what lies beyond a line half of the method's seeds have attained, with a report "
        "that is as good in both objectives; bands reach from a quarter of the seeds to three quarters."
    )
    return Chart(name, title, caption, panels, _height(panels), label, columns=min(COLUMNS, len(panels)))


def _front_of(run: LoadedExperiment) -> Floats:
    losses = run.arrivals[:, 1:]
    return losses[front_of(losses)]


@dataclass(frozen=True, slots=True)
class _Surfaces:
    """Attainment surfaces of a quarter, half and three quarters of the Pareto fronts, as steps in own units."""

    x: list[float]
    low: list[float]
    middle: list[float]
    high: list[float]


def _surfaces(
    fronts: Sequence[Floats], aims: Sequence[Aim], first: int, second: int, every: Sequence[Values]
) -> _Surfaces:
    """Return attainment surfaces; where too few fronts attain anything better, they extend to the worst of all values."""
    worst_x, worst_y = (aims[i].loss(_worst(aims[i], [v[i] for v in every])) for i in (second, first))
    places, found = attainment([front[:, [second, first]] for front in fronts], QUARTILES)
    x = [aims[second].value(place) for place in [*places.tolist(), worst_x]]
    rows = [[aims[first].value(min(y, worst_y)) for y in [*row, row[-1]]] for row in found.tolist()]
    return _Surfaces([x[0], *x], *([aims[first].value(worst_y), *row] for row in rows))


def _pair(
    aims: Sequence[Aim],
    first: int,
    second: int,
    series: Sequence[Series],
    every: Sequence[Values],
    best: Sequence[Values],
) -> Panel:
    """Return a panel with the second objective on the x axis and the first on the y axis, scaled for all values."""
    x, y = (_axis(aims[i], [values[i] for values in every], [values[i] for values in best]) for i in (second, first))
    return Panel(without_limits(x), y, series)


def _axis(aim: Aim, values: Sequence[float], best: Sequence[float]) -> Axis:
    """Return an objective's axis, logarithmic if it asks for that and can be; the whole Pareto front fits on it."""
    finite = [value for value in values if math.isfinite(value)]
    if aim.log and min(finite) > 0:
        return axis(aim.metric, log=True)
    found = metric_axis(aim, values)
    if "limits" not in found:
        return found
    low, high = min(*found["limits"], *best), max(*found["limits"], *best)
    if low <= min(finite) and max(finite) <= high:
        return without_limits(found)
    return {**found, "limits": [low, high]}


def _points(
    found: Sequence[tuple[Values, str]], first: int, second: int, name: str, colour: str, **look: Any
) -> Series:
    x, y, labels = [], [], []
    for values, label in found:
        if math.isfinite(values[first]) and math.isfinite(values[second]):
            x.append(values[second])
            y.append(values[first])
            labels.append(label)
    return {"kind": "points", "name": name, "colour": colour, "x": x, "y": y, "labels": labels, **look}


def _steps(
    aims: Sequence[Aim],
    first: int,
    second: int,
    best: Sequence[Values],
    every: Sequence[Values],
    limits: Sequence[float] | None,
) -> Series:
    """Return the Pareto front of two objectives as steps, since nothing between its points is attained."""
    losses = np.array([[aims[second].loss(values[second]), aims[first].loss(values[first])] for values in best])
    corners = sorted(losses[front_of(losses)].tolist())
    x = [aims[second].value(loss) for loss, _ in corners]
    y = [aims[first].value(loss) for _, loss in corners]
    xs = [x[0], *x, _worst(aims[second], [values[second] for values in every])]
    ys = [_worst(aims[first], limits or [values[first] for values in every]), *y, y[-1]]
    return {"kind": "line", "name": "front", "colour": FRONT, "x": xs, "y": ys, "step": True, "width": 1.8}


def _worst(aim: Aim, values: Sequence[float]) -> float:
    """Return the worst of the finite values, of which there is at least one."""
    return aim.value(max(aim.loss(value) for value in values if math.isfinite(value)))


def _values(aims: Sequence[Aim], losses: Sequence[float]) -> Values:
    return [aim.value(loss) if math.isfinite(loss) else math.nan for aim, loss in zip(aims, losses, strict=True)]


def _height(panels: Sequence[Panel]) -> int:
    return 380 if len(panels) == 1 else PAIR * math.ceil(len(panels) / COLUMNS)
