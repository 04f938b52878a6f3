"""Charts of an experiment's search space: the metric against each hyperparameter, and all of them in parallel."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

from hpo.events.wording import word
from hpo.figures.chart import Axis, Chart, Panel, Pieces, Series, axis, without_limits
from hpo.figures.limits import beyond, metric_axis
from hpo.figures.style import BANDS, DEPTHS, SHARES, data_label, thinned
from hpo.history.points import NOT_USED, Point, marks, points, position, short, unit
from hpo.history.record import Subject
from hpo.space.domains import LOG, Choice, Domain, Float, Integer

MOST_LINES = 1_500
MOST_POINTS = 3_000
COLUMNS = 3
BEYOND = 0.2
"""Where in parallel coordinates a value beyond the limits of the last axis lies, in lengths of the axis beyond its end."""
SLICE = 250
"""Height of a panel, in pixels."""


def slices(experiment: Subject, *, whole: bool = False) -> Chart:
    """The metric of each trial against each hyperparameter, a panel for each; `whole`: never thinned."""
    objective = experiment.state.objective
    resource = objective.resource_attr or "report"
    known = points(experiment)
    found = known if whole else [known[i] for i in thinned(len(known), MOST_POINTS)]
    if not found:
        return Chart("slices", "Slices", instead="No trial has reported yet.")
    domains = experiment.config.space.domains
    columns = min(COLUMNS, len(domains))
    levels = _levels([point.resource for point in found])
    y = metric_axis(objective, [point.value for point in known])
    out = beyond(objective, y, [point.value for point in known])
    panels: list[Panel] = []
    for name, domain in domains.items():
        series: list[Series] = []
        for (low, high), colour in zip(levels, DEPTHS[-len(levels) :], strict=True):
            met, broken = Pieces(), Pieces()
            for p in found:
                if low <= p.resource <= high and name in p.configuration:
                    label = f"trial {p.trial}, {resource} {p.resource}, {name}={word(p.configuration[name])}"
                    into = met if p.feasible else broken
                    into.add([position(domain, p.configuration[name], p.trial)], [p.value], label)
            text = f"{resource} {low}" if low == high else f"{resource} {low} to {high}"
            if met.x:
                series.append(met.series("points", text, colour, size=5))
            if broken.x:
                series.append(broken.series("points", f"{text}, constraints not met", colour, size=5, hollow=True))
        if series:
            title = "" if len(panels) % columns else objective.metric
            panels.append(Panel(_axis(name, domain), {**y, "title": title}, series))
    caption = (
        f"Each trial's last {objective.metric} against each hyperparameter; the more a point stands out from the ground, the "
        "further it was trained. Values of choices are spread sideways by trial number, to be told apart."
    )
    if experiment.config.space.conditions:
        caption += " Where a hyperparameter is not used, its trials are left out."
    if not all(point.feasible for point in found):
        caption += " Hollow points do not meet the constraints."
    if len(found) < len(known):
        caption += f" Thinned: {len(found):,} of {len(known):,} trials, evenly spaced by number."
    return Chart(
        "slices",
        "Slices",
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


def _axis(name: str, domain: Domain) -> Axis:
    if isinstance(domain, Choice):
        ticks = [(place, short(choice)) for place, choice in enumerate(domain.choices)]
        return axis(name, ticks=ticks, range=[-0.5, len(ticks) - 0.5])
    assert isinstance(domain, Float | Integer)
    return axis(name, log=domain.scale is LOG, whole=isinstance(domain, Integer))


def parallel(experiment: Subject, *, whole: bool = False) -> Chart:
    """One line per trial through all hyperparameters to its metric, the best on top; `whole`: never thinned."""
    objective = experiment.state.objective
    title = "Parallel coordinates"
    found = sorted(
        (p for p in points(experiment) if math.isfinite(p.loss)), key=lambda p: (p.feasible, -p.loss, p.trial)
    )
    if not found:
        return Chart("parallel", title, instead="No trial has reported a finite result yet.")
    kept = found if whole else [found[i] for i in thinned(len(found), MOST_LINES)]
    y = metric_axis(objective, [point.value for point in found])
    out = beyond(objective, y, [point.value for point in found])
    panel = _lines(experiment, found, kept, y)
    if "limits" in y:
        panel = replace(panel, whole=_lines(experiment, found, kept, without_limits(y)))
    caption = f"A line is a trial; the last axis is its last {objective.metric}. Point at a line to see it alone."
    caption += f" {out}" if out else ""
    if len(kept) < len(found):
        caption += f" Thinned: {len(kept):,} of {len(found):,} trials, evenly spaced by rank, the best among them."
    return Chart("parallel", title, caption, [panel], 400, data_label(experiment.metadata), remark=out)


def _lines(experiment: Subject, found: Sequence[Point], kept: Sequence[Point], last: Axis) -> Panel:
    """Lines of those trials that are `kept`, the worst first, to the `last` axis, which suits all."""
    space, metric = experiment.config.space, experiment.state.objective.metric
    domains = space.domains
    low, high = last.get("limits") or (min(p.value for p in found), max(p.value for p in found))
    place_of = math.log10 if last.get("log") else float
    series: list[Series] = []
    start = 0
    for place, (colour, share) in enumerate(zip(BANDS, SHARES, strict=True)):
        stop = len(kept) - math.ceil(share * len(kept))
        band = Pieces()
        for p in kept[start:stop]:
            units = [
                unit(domain, p.configuration[name], p.trial) if name in p.configuration else NOT_USED
                for name, domain in domains.items()
            ]
            inside = (place_of(p.value) - place_of(low)) / (place_of(high) - place_of(low)) if high > low else 0.5
            units.append(min(max(inside, -BEYOND), 1 + BEYOND))
            band.add(range(len(units)), units, f"trial {p.trial}: {metric} {p.value:.6g}")
        start = max(start, stop)
        if band.x:
            name = "worse half" if place == 0 else f"best {SHARES[place - 1]:.0%}"
            width = 2 if place == len(BANDS) - 1 else 1
            series.append(band.series("line", name, colour, width=width, gaps=True))
    names = [*domains, metric]
    notes = [(place, at, text) for place, domain in enumerate(domains.values()) for at, text in marks(domain)]
    notes += [(place, NOT_USED, "not used") for place, name in enumerate(domains) if name in space.conditions]
    notes += [(len(domains), 0.0, f"{low:.4g}"), (len(domains), 1.0, f"{high:.4g}")]
    x = axis(ticks=list(enumerate(names)), range=[-0.25, len(names) - 0.85], above=True, bare=True)
    room = [NOT_USED - 0.03 if space.conditions else -0.05, 1.05]
    y = axis(range=room, bare=True)
    if "limits" in last:
        y["limits"] = room
    return Panel(x, y, series, notes, list(range(len(names))), quiet=True, right=70)
