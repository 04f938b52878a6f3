"""Charts that compare methods over seeds: regret and ranks over time, seeds side by side, paired differences."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hpo.analysis.comparison import Comparison
from hpo.analysis.loading import LoadedExperiment
from hpo.analysis.regret_over_time import OverTime
from hpo.analysis.scores import BenchmarkScores
from hpo.analysis.verdict import WORDS
from hpo.events.objective import Objective
from hpo.figures.axis_limits import beyond, metric_axis, over_time
from hpo.figures.chart import Axis, Chart, Panel, Pieces, Series, axis, finite, rows
from hpo.figures.style import ACCENT, NEUTRAL, colour_of, dash_of, moments_scale, thinned

MANY_RUNS = 15
"""Of more experiments in one panel only the median and the middle half of each method stand out."""
MOST_TIMES = 400
"""Of a median."""


def regret(number: int, scored: BenchmarkScores, found: OverTime) -> Chart:
    """Normalised regret over time with pointwise intervals, one line per method."""
    x, times = _times(scored, found)
    bands: list[Series] = []
    lines: list[Series] = []
    for index, method in enumerate(scored.block.methods):
        known = [i for i in range(len(times)) if math.isfinite(found.low[index, i])]
        if known:
            span = slice(known[0], known[-1] + 1)
            bands.append(
                {
                    "kind": "band",
                    "name": method,
                    "colour": colour_of(index),
                    "opacity": 0.13,
                    "x": times[span],
                    "bottom": [finite(value) for value in found.low[index, span].tolist()],
                    "top": [finite(value) for value in found.high[index, span].tolist()],
                }
            )
        lines.append(_line(index, method, times, found.regret[index].tolist()))
    which = "bands are pointwise 95 % bootstrap intervals" if bands else "there are no intervals for so few seeds"
    caption = (
        f"IQM over {len(scored.block.seeds)} seed(s) of the incumbent's regret, from where the anytime score begins to the "
        f"common budget; {which}. 0 is {scored.scale.best_is}; 1 is {scored.scale.reference_is}."
    )
    if (measure := scored.block.loaded[0].measure) is not None:
        caption += f" {measure.text().capitalize()}."
    # Lines come first, for the keys and names; bands are drawn below them all the same, they are pale.
    panel = Panel(x, axis("normalised regret", zero=True), [*lines, *bands])
    return _of(scored, f"regret-{number}", "Regret over time", caption, panel, 390)


def ranks(number: int, scored: BenchmarkScores, found: OverTime) -> Chart:
    """Mean ranks over time."""
    x, times = _times(scored, found)
    series = [
        _line(index, method, times, found.rank[index].tolist()) for index, method in enumerate(scored.block.methods)
    ]
    caption = (
        f"Mean over {len(scored.block.seeds)} seed(s) of each method's rank by its incumbent; 1 is best, ties share."
    )
    panel = Panel(x, axis("mean rank", reversed=True), series)
    return _of(scored, f"ranks-{number}", "Ranks over time", caption, panel, 340, wide=False, remark="1 is best")


def _times(scored: BenchmarkScores, found: OverTime) -> tuple[Axis, list[float]]:
    """The axis of elapsed time, or of cost, and the places on it."""
    unit, name = moments_scale(scored.scale.end, scored.block.cost)
    return axis(name, log=True, tight=True), (found.times / unit).tolist()


def seeds(number: int, scored: BenchmarkScores, comparison: Comparison) -> Chart:
    """Each seed's score under each method; a line follows a seed."""
    score, methods = comparison.score, scored.block.methods
    values = scored.anytime if score == "anytime" else scored.final
    paired = Pieces()
    for column, seed in enumerate(scored.block.seeds):
        paired.add(range(len(methods)), values[:, column].tolist(), f"seed {seed}")
    series = [paired.series("line", "", NEUTRAL, width=0.8, gaps=True)]
    for place, method in enumerate(methods):
        labels = [f"{method}, seed {seed}" for seed in scored.block.seeds]
        places = {"x": [place] * len(labels), "y": values[place].tolist(), "labels": labels}
        series.append({"kind": "points", "name": "", "colour": colour_of(place), "size": 8, **places})
    caption = f"The {WORDS[score]} of each experiment; a line joins those of one seed. Lower is better."
    x = axis(ticks=list(enumerate(methods)), range=[-0.5, len(methods) - 0.5])
    panel = Panel(x, axis(WORDS[score], zero=True), series)
    return _of(scored, f"seeds-{number}", "Methods and seeds", caption, panel, 340, wide=False)


def differences(comparison: Comparison) -> Chart:
    """All paired differences with their intervals."""
    pairs = [pair for pair in comparison.pairings if pair.score == comparison.score]
    names = [f"{pair.first} − {pair.second}" for pair in pairs]
    series: list[Series] = []
    for told, name, colour in ((True, "told apart", ACCENT), (False, "not told apart", NEUTRAL)):
        group = [(place, pair) for place, pair in enumerate(pairs) if pair.distinct == told]
        if group:
            series.append(
                {
                    "kind": "points",
                    "name": name,
                    "colour": colour,
                    "size": 10,
                    "hollow": not told,
                    "x": [pair.difference for _, pair in group],
                    "y": [place for place, _ in group],
                    "low": [finite(pair.low) for _, pair in group],
                    "high": [finite(pair.high) for _, pair in group],
                    "labels": [
                        f"{names[place]}: {pair.difference:+.4f} "
                        + ("(no interval)" if math.isnan(pair.low) else f"[{pair.low:+.4f}, {pair.high:+.4f}]")
                        for place, pair in group
                    ],
                }
            )
    x = axis(f"difference of {WORDS[comparison.score]}", zero=True)
    panel = Panel(x, rows(names), series, verticals=[0], quiet=True)
    label = ", ".join(sorted({one.block.data_label for one in comparison.scored if one.block.data_label})) or None
    caption = (
        "IQM of the differences on the same seed, with 95 % intervals: left of 0 the first is better. Filled: the interval "
        "excludes 0 and the corrected sign-flip test falls below 5 %."
    )
    return Chart(
        "differences",
        "Paired differences",
        caption,
        [panel],
        height=80 + 30 * len(pairs),
        label=label,
        remark="below 0 the first is better",
    )


def runs(number: int, benchmark: str, found: Sequence[LoadedExperiment], label: str | None) -> Chart:
    """Best result so far of each experiment, coloured by method."""
    objective = found[0].objective
    unit, name = moments_scale(max(run.end for run in found), found[0].cost)
    many = len(found) > MANY_RUNS
    series: list[Series] = []
    summaries: list[Series] = []
    drawn: list[float | None] = []
    shown: list[float | None] = []
    for index, method in enumerate(dict.fromkeys(run.label for run in found)):
        own = [run for run in found if run.label == method and len(run.trajectory.times)]
        curves, steps = Pieces(), list[tuple[list[float], list[float]]]()
        for run in own:
            values = [objective.value(loss) for loss in run.trajectory.losses.tolist()]
            times = [time / unit for time in [*run.trajectory.times.tolist(), run.end]]
            steps.append((times, [*values, values[-1]]))
            curves.add(*steps[-1], f"{method}, seed {run.seed}")
        if own:
            look = {"width": 0.6, "context": True} if many else {"width": 1.4, "dash": dash_of(index)}
            series.append(curves.series("line", method, colour_of(index), step=True, gaps=True, **look))
            drawn += curves.y
            shown += [y for times, values in steps for y in over_time(times, values, times[-1])]
        if own and many:
            summaries += _summary(index, method, objective, own, unit)
    title = f"Every experiment: {benchmark}"
    if not series:
        return Chart(f"runs-{number}", title, instead="No experiment has a finite result yet.")
    y = metric_axis(objective, shown)
    out = beyond(objective, y, drawn)
    panel = Panel(axis(name, zero=True), y, [*series, *summaries])
    what = "the best report" if found[0].measure is None else "all reports"
    caption = f"{objective.metric} of {what} so far, one step function per experiment"
    caption += ": thin lines. A thick one is the median of a method, its band the middle half." if many else "."
    return Chart(f"runs-{number}", title, f"{caption} {out}".rstrip(), [panel], 380, label, remark=out)


def _summary(
    index: int, method: str, objective: Objective, own: Sequence[LoadedExperiment], unit: float
) -> list[Series]:
    """The median over a method's experiments and the band of the middle half, from when all have a result.

    An experiment that is over keeps its result.
    """
    first, end = max(float(run.trajectory.times[0]) for run in own), max(run.end for run in own)
    moments = sorted({time for run in own for time in run.trajectory.times.tolist() if time >= first} | {end})
    times = [moments[i] for i in thinned(len(moments), MOST_TIMES)]
    values = [[objective.value(run.trajectory.at(time)) for run in own] for time in times]
    bottom, middle, top = np.quantile(values, (0.25, 0.5, 0.75), axis=1).tolist()
    x, line = [time / unit for time in times], Pieces()
    line.add(x, middle, f"median of {len(own)}: {method}")
    look = {"dash": dash_of(index), "width": 2.4, "step": True}
    band = {"kind": "band", "step": True, "x": x, "bottom": bottom, "top": top}
    return [
        line.series("line", method, colour_of(index), **look),
        {**band, "name": method, "colour": colour_of(index), "opacity": 0.13},
    ]


def _line(index: int, method: str, x: Sequence[float], y: Sequence[float]) -> Series:
    pieces = Pieces()
    pieces.add(x, y, method)
    return pieces.series("line", method, colour_of(index), dash=dash_of(index), width=2.2)


def _of(scored: BenchmarkScores, name: str, title: str, caption: str, panel: Panel, height: int, **keys: Any) -> Chart:
    return Chart(name, f"{title}: {scored.block.benchmark}", caption, [panel], height, scored.block.data_label, **keys)
