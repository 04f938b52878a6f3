"""Charts of an experiment's search space: the metric against each hyperparameter, and all of them in parallel."""

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from hpo.events.text import value_text, word
from hpo.figures.axis_limits import beyond, metric_axis
from hpo.figures.chart import Axis, Chart, Panel, Pieces, Series, axis, without_limits
from hpo.figures.style import BANDS, DEPTHS, SHARES, data_label, thinned
from hpo.history.points import NOT_USED, Point, marks, points, position, unit
from hpo.history.record import Subject
from hpo.space.domains import LOG, Choice, Domain, Float, Integer

MOST_LINES = 1_500
MOST_POINTS = 3_000
COLUMNS = 3
BEYOND = 0.2
"""Where in parallel coordinates a value beyond the limits of the last axis lies, in lengths of the axis beyond its end."""
LEAST_BETWEEN = 115
"""Pixels from one axis of parallel coordinates to the next, at least: the names of values stand there."""
SLICE = 250
"""Height of a panel, in pixels."""


def slices(experiment: Subject, *, whole: bool = False, aim: int = 0) -> Chart:
    """The metric of each trial against each hyperparameter, a panel for each.

    Args:
        experiment: what is shown.
        whole: never thinned.
        aim: which of several objectives.
    """
    objective = experiment.state.objective
    shown = objective.each[aim]
    name_of, title = f"slices-{aim}" if aim else "slices", f"Slices of {shown.metric}" if objective.aims else "Slices"
    resource = objective.resource_attr or "report"
    known = [_Result(p, [_values_of(experiment, p)[aim]]) for p in points(experiment)]
    found = known if whole else [known[i] for i in thinned(len(known), MOST_POINTS)]
    if not found:
        return Chart(name_of, title, instead="No trial has reported yet.")
    domains = experiment.config.space.domains
    columns = min(COLUMNS, len(domains))
    levels = _levels([one.point.resource for one in found])
    y = metric_axis(shown, [one.values[0] for one in known])
    out = beyond(shown, y, [one.values[0] for one in known])
    panels: list[Panel] = []
    for name, domain in domains.items():
        series: list[Series] = []
        for (low, high), colour in zip(levels, DEPTHS[-len(levels) :], strict=True):
            met, broken = Pieces(), Pieces()
            for one in found:
                p = one.point
                if low <= p.resource <= high and name in p.configuration:
                    label = f"trial {p.trial}, {resource} {p.resource}, {name}={word(p.configuration[name])}"
                    into = met if p.feasible else broken
                    into.add([position(domain, p.configuration[name], p.trial)], one.values, label)
            text = f"{resource} {low}" if low == high else f"{resource} {low} to {high}"
            if met.x:
                series.append(met.series("points", text, colour, size=5))
            if broken.x:
                series.append(broken.series("points", f"{text}, constraints not met", colour, size=5, hollow=True))
        if series:
            beside = "" if len(panels) % columns else shown.metric
            panels.append(Panel(value_axis(name, domain), {**y, "title": beside}, series))
    caption = (
        f"Each trial's last {shown.metric} against each hyperparameter; the more a point stands out from the ground, the "
        "further it was trained. Values of choices are spread sideways by trial number, to be told apart."
    )
    if experiment.config.space.conditions:
        caption += " Where a hyperparameter is not used, its trials are left out."
    if not all(one.point.feasible for one in found):
        caption += " Hollow points do not meet the constraints."
    if len(found) < len(known):
        caption += f" Thinned: {len(found):,} of {len(known):,} trials, evenly spaced by number."
    return Chart(
        name_of,
        title,
        f"{caption} {out}".rstrip(),
        panels,
        height=SLICE * math.ceil(len(panels) / columns),
        label=data_label(experiment.metadata),
        columns=columns,
        shared="y",
        remark=out,
    )


def _levels(resources: Sequence[int]) -> list[tuple[int, int]]:
    """Up to four ranges of resources that hold all of them, each from one that occurs to one that occurs."""
    distinct = sorted(set(resources))
    if len(distinct) <= len(DEPTHS):
        return [(level, level) for level in distinct]
    bounds = [round(i * len(distinct) / len(DEPTHS)) for i in range(len(DEPTHS) + 1)]
    return [(distinct[a], distinct[b - 1]) for a, b in itertools.pairwise(bounds)]


def value_axis(name: str, domain: Domain) -> Axis:
    """The axis of a hyperparameter."""
    if isinstance(domain, Choice):
        ticks = [(place, value_text(choice)) for place, choice in enumerate(domain.choices)]
        return axis(name, ticks=ticks, range=[-0.5, len(ticks) - 0.5])
    assert isinstance(domain, Float | Integer)
    return axis(name, log=domain.scale is LOG, whole=isinstance(domain, Integer))


def parallel(experiment: Subject, *, whole: bool = False) -> Chart:
    """One line per trial through all hyperparameters to its metric, the best on top; `whole`: never thinned.

    With several objectives through all of them, those on the front on top.
    """
    objective = experiment.state.objective
    title = "Parallel coordinates"
    aims = objective.each
    results = [_Result(p, _values_of(experiment, p)) for p in points(experiment)]
    front = {point.trial_id for point in experiment.state.front}
    found = sorted(
        (one for one in results if all(map(math.isfinite, one.values))),
        key=lambda one: (one.point.trial in front, one.point.feasible, -one.point.loss, one.point.trial),
    )
    if not found:
        return Chart("parallel", title, instead="No trial has reported a finite result yet.")
    others = sum(one.point.trial not in front for one in found)  # the front is shown whole
    kept = found if whole else [*(found[i] for i in thinned(others, MOST_LINES)), *found[others:]]
    ends = [metric_axis(aim, [one.values[i] for one in found]) for i, aim in enumerate(aims)]
    out = beyond(objective, ends[0], [one.values[0] for one in found])
    bands = _by_front(kept, front) if objective.aims else _by_rank(kept)
    panel = _lines(experiment, found, bands, ends)
    if any("limits" in end for end in ends):
        panel = replace(panel, whole=_lines(experiment, found, bands, [without_limits(end) for end in ends]))
    last = f"the last axes are its last {' and '.join(aim.metric for aim in aims)}"
    if not objective.aims:
        last = f"the last axis is its last {objective.metric}"
    caption = f"A line is a trial; {last}. Point at a line to see it alone."
    caption += f" {out}" if out else ""
    if len(kept) < len(found):
        best = "the front" if front else "the best"
        caption += f" Thinned: {len(kept):,} of {len(found):,} trials, evenly spaced by rank, {best} among them."
    return Chart("parallel", title, caption, [panel], 400, data_label(experiment.metadata), remark=out)


@dataclass(frozen=True, slots=True)
class _Result:
    """A trial, and the objectives in its last report, in their own units."""

    point: Point
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class _Band:
    """Trials whose lines look alike."""

    name: str
    colour: str
    width: int
    results: Sequence[_Result]


def _values_of(experiment: Subject, point: Point) -> Sequence[float]:
    state = experiment.state
    if not state.objective.aims:
        return [point.value]
    return list(state.objective.values(state.trials[point.trial].losses).values())


def _by_rank(kept: Sequence[_Result]) -> list[_Band]:
    """Bands of trials that are in order, the worst first."""
    bands = []
    start = 0
    for place, (colour, share) in enumerate(zip(BANDS, SHARES, strict=True)):
        stop = len(kept) - math.ceil(share * len(kept))
        name = "worse half" if place == 0 else f"best {SHARES[place - 1]:.0%}"
        bands.append(_Band(name, colour, 2 if place == len(BANDS) - 1 else 1, kept[start:stop]))
        start = max(start, stop)
    return bands


def _by_front(kept: Sequence[_Result], front: Collection[int]) -> list[_Band]:
    others = [one for one in kept if one.point.trial not in front]
    best = [one for one in kept if one.point.trial in front]
    return [_Band("not on the front", BANDS[1], 1, others), _Band("on the front", BANDS[-1], 2, best)]


def _lines(experiment: Subject, found: Sequence[_Result], bands: Sequence[_Band], last: Sequence[Axis]) -> Panel:
    """Lines of the trials in `bands` to the `last` axes, which suit all that were `found`."""
    space = experiment.config.space
    domains = space.domains
    spans = [end.get("limits") or _span([one.values[i] for one in found]) for i, end in enumerate(last)]
    series: list[Series] = []
    for band in bands:
        lines = Pieces()
        for one in band.results:
            p = one.point
            units = [
                unit(domain, p.configuration[name], p.trial) if name in p.configuration else NOT_USED
                for name, domain in domains.items()
            ]
            units += [_place(end, span, value) for end, span, value in zip(last, spans, one.values, strict=True)]
            told = ", ".join(f"{end['title']} {value:.6g}" for end, value in zip(last, one.values, strict=True))
            lines.add(range(len(units)), units, f"trial {p.trial}: {told}")
        if lines.x:
            series.append(lines.series("line", band.name, band.colour, width=band.width, gaps=True))
    names = [*domains, *(end["title"] for end in last)]
    notes = [(place, at, text) for place, domain in enumerate(domains.values()) for at, text in marks(domain)]
    notes += [(place, NOT_USED, "not used") for place, name in enumerate(domains) if name in space.conditions]
    for place, (low, high) in enumerate(spans, len(domains)):
        notes += [(place, 0.0, f"{low:.4g}"), (place, 1.0, f"{high:.4g}")]
    x = axis(ticks=list(enumerate(names)), range=[-0.25, len(names) - 0.85], above=True, bare=True)
    room = [NOT_USED - 0.03 if space.conditions else -0.05, 1.05]
    y = axis(range=room, bare=True)
    if any("limits" in end for end in last):
        y["limits"] = room
    least = LEAST_BETWEEN * len(names)
    return Panel(x, y, series, notes, list(range(len(names))), quiet=True, right=70, least=least)


def _span(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _place(end: Axis, span: Sequence[float], value: float) -> float:
    """Where a value stands on one of the last axes, from 0 to 1; a little beyond, where it is beyond its limits."""
    low, high = map(math.log10, span) if end.get("log") else span
    inside = ((math.log10(value) if end.get("log") else value) - low) / (high - low) if high > low else 0.5
    return min(max(inside, -BEYOND), 1 + BEYOND)
