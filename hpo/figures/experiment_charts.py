"""Charts of one experiment: progress, decisions, workers, importance."""

import math
from collections.abc import Sequence

from hpo.events.outcome import no_trial_met
from hpo.events.text import in_unit_of, shortened
from hpo.figures.axis_limits import beyond, metric_axis, over_time
from hpo.figures.chart import Chart, Panel, Pieces, Series, axis, rows
from hpo.figures.style import (
    ACCENT,
    LAST,
    NEUTRAL,
    NOT_MET,
    OUTCOME_COLOURS,
    data_label,
    moments_scale,
    seconds_scale,
    thinned,
)
from hpo.history import curves as history
from hpo.history.importance import LEVEL, TRUSTED, Importance
from hpo.history.record import AttemptSpan, Subject

MOST_POINTS = 20_000
"""Largest number of points of all learning curves together."""
MOST_DOTS = 5_000
"""Largest number of reports that are marked on the curves; above it, only lines are drawn."""
MANY_CURVES = 500
"""Number of curves from which they are drawn thin."""
MOST_BARS = 5_000
"""Largest number of attempts in the Gantt chart before neighbours are merged."""

RUNG_COLOURS = {"went on": OUTCOME_COLOURS["completed"], "waiting": OUTCOME_COLOURS["paused"], "ended here": NEUTRAL}


def anytime(experiment: Subject) -> Chart:
    """Chart the best result so far against elapsed time, or cost if one is named, and each trial's last report."""
    objective = experiment.state.objective
    path = history.trajectory(experiment)
    title = "Best result so far"
    if not len(path.times):
        return Chart("anytime", title, instead=nothing_yet(experiment, "a finite result"), wide=False)
    cost = objective.cost_attr
    end = experiment.state.elapsed if cost is None else experiment.state.spending.total
    unit, name = moments_scale(end, cost)
    met, broken, best = Pieces(), Pieces(), Pieces()
    for curve in history.curves(experiment):
        into = met if curve.feasible[-1] else broken
        into.add([curve.moment / unit], curve.values[-1:], f"trial {curve.trial}")
    values = [objective.value(loss) for loss in path.losses.tolist()]
    times = [time / unit for time in [*path.times.tolist(), end]]
    best.add(times, [*values, values[-1]], "best so far")
    series = [
        met.series("points", LAST, NEUTRAL),
        *([broken.series("points", NOT_MET, NEUTRAL, hollow=True)] if broken.x else []),
        best.series("line", "best so far", ACCENT, width=2.4, step=True),
    ]
    last = [*met.y, *broken.y]
    y = metric_axis(objective, [*last, *over_time(times, best.y, times[-1])])
    out = beyond(objective, y, [*last, *(value for value in best.y if value not in last)])
    panel = Panel(axis(name, zero=True), y, series)
    caption = "A step is an improvement at any resource; points are the last report of each trial."
    caption += " Hollow ones do not meet the constraints." if broken.x else ""
    return Chart(
        "anytime",
        title,
        f"{caption} {out}".rstrip(),
        [panel],
        330,
        data_label(experiment.metadata),
        wide=False,
        remark=out,
    )


def nothing_yet(experiment: Subject, what: str) -> str:
    """Return the sentence that replaces a figure while there is no best result, with the reason."""
    closest = experiment.state.closest
    if closest is None:
        return f"No trial has reported {what} yet."
    text = no_trial_met(experiment.state.objective.constraints, closest)
    return f"{text[0].upper()}{text[1:]}."


def learning_curves(experiment: Subject, *, whole: bool = False) -> Chart:
    """Chart the metric against the resource, one curve per trial, coloured by outcome; `whole`: never thinned."""
    objective = experiment.state.objective
    found = history.curves(experiment)
    title = "Learning curves"
    if not found:
        return Chart("curves", title, instead="No trial has reported yet.", wide=False)
    needless = max(len(curve.resources) for curve in found) < 2  # each trial has one report, so there are no curves
    kept, each, caption = _thinning(found, math.inf if whole else MOST_POINTS)
    dots = 4 if sum(len(curve.resources) for curve in kept) <= MOST_DOTS else 0
    width = 1.2 if len(kept) <= MANY_CURVES else 0.6
    series: list[Series] = []
    for outcome, colour in OUTCOME_COLOURS.items():
        lines, lone = Pieces(), Pieces()
        for curve in kept:
            if curve.outcome == outcome:
                indices = thinned(len(curve.resources), each)
                into = lines if len(indices) > 1 else lone  # a single report makes no line
                xs, ys = [curve.resources[i] for i in indices], [curve.values[i] for i in indices]
                into.add(xs, ys, f"trial {curve.trial}")
        name = f"{outcome} ({sum(curve.outcome == outcome for curve in found)})"
        if lines.x:
            series.append(lines.series("line", name, colour, gaps=True, dots=dots, width=width))
        if lone.x:
            series.append(lone.series("points", name, colour))
    values = [value for curve in found for value in curve.values]
    y = metric_axis(objective, values)
    out = beyond(objective, y, values)
    panel = Panel(axis(objective.resource_attr or "report", whole=True), y, series)
    return Chart(
        "curves",
        title,
        f"{caption} {out}".rstrip(),
        [panel],
        330,
        data_label(experiment.metadata),
        wide=False,
        needless=needless,
        remark=out,
    )


def _thinning(found: Sequence[history.Curve], most: float) -> tuple[list[history.Curve], int, str]:
    """Return the curves to draw, the largest number of points of each, and a caption that says so."""
    total, longest = sum(len(curve.resources) for curve in found), max(len(curve.resources) for curve in found)
    caption = "One curve per trial, coloured by the trial's outcome; timeouts count as failed."
    if total <= most:
        return list(found), longest, caption
    kept = [found[i] for i in thinned(len(found), MOST_POINTS // 4)]
    each = longest
    while each > 4 and sum(min(each, len(curve.resources)) for curve in kept) > MOST_POINTS:
        each -= 1
    less = []
    if each < longest:
        less.append(f"of {total:,} reports each curve shows at most {each}, the first and the last among them")
    if len(kept) < len(found):
        less.append(f"{len(kept):,} of {len(found):,} trials are shown, evenly spaced by number")
    return kept, each, f"{caption} Thinned: {'; '.join(less)}."


def rung_board(experiment: Subject) -> Chart:
    """Chart how many trials reached each rung, and how many were promoted, wait or ended there."""
    rungs = history.rungs(experiment)
    resource = experiment.state.objective.resource_attr or "report"
    title = "Rungs"
    if len(rungs) < 2 or not rungs[0].reached:
        none = "No trial has reached a rung yet."
        needless = not rungs or rungs[0].reached > 0
        if needless:
            none = "This method has compared no trials on the way: there are no rungs."
        return Chart("rungs", title, instead=none, wide=False, needless=needless)
    series: list[Series] = []
    for name, colour in RUNG_COLOURS.items():
        ends = [
            {"went on": rung.went_on, "waiting": rung.went_on + rung.waiting, "ended here": rung.reached}[name]
            for rung in rungs
        ]
        starts = [0] * len(rungs) if not series else series[-1]["x"]
        labels = [
            f"{resource} {rung.level}: {end - start} {name}, of {rung.reached}"
            for rung, start, end in zip(rungs, starts, ends, strict=True)
        ]
        bars = {"x0": starts, "x": ends, "y": list(range(len(rungs))), "labels": labels, "thick": 0.7}
        series.append({"kind": "bars", "name": name, "colour": colour, **bars})
    caption = (
        f"Trials that reached each level of {resource}: those that went on (promoted, or let pass), those that wait there "
        "paused, and those that ended there or are still on their way."
    )
    y = rows([f"{resource} {rung.level}" for rung in rungs])
    panel = Panel(axis("trials", zero=True, whole=True), y, series, quiet=True)
    return Chart("rungs", title, caption, [panel], 70 + 36 * len(rungs), data_label(experiment.metadata), wide=False)


def workers(experiment: Subject, *, whole: bool = False) -> Chart:
    """Chart attempts on their workers; empty space is idle time. `whole`: a bar for each attempt, however many."""
    line = history.timeline(experiment)
    if not line.attempts:
        return Chart("workers", "Workers", instead="No trial has started yet.")
    unit, name = seconds_scale(line.elapsed)
    lanes = max(line.workers, 1 + max(attempt.lane for attempt in line.attempts))
    gap = line.elapsed / 1000 if len(line.attempts) > MOST_BARS and not whole else -1.0
    several = len(experiment.state.nodes) > 1
    series: list[Series] = []
    for outcome, colour in OUTCOME_COLOURS.items():
        bars = _bars([a for a in line.attempts if history.outcome(a.status) == outcome], gap, several=several)
        if bars:
            places = {
                "x0": [first.start / unit for first, _, _ in bars],
                "x": [last.end / unit for _, last, _ in bars],
                "y": [first.lane + 1 for first, _, _ in bars],
            }
            look = {"name": outcome, "colour": colour, "thick": 0.72}
            series.append({"kind": "bars", **look, **places, "labels": [text for _, _, text in bars]})
    caption = (
        f"{busy_text(line)}; what is empty is idle. A bar is one attempt, coloured by how it ended, on the lowest worker "
        "that was free."
    )
    if several:
        names = [f"{node} ({count})" for node, count in experiment.state.nodes.most_common()]
        caption += f" Trials ran on {len(names)} nodes: {shortened(names, 8)} attempts."
    if gap >= 0:
        caption += f" Attempts less than {gap:.3g} s apart that ended alike are drawn as one."
    ticks = [(lane + 1, str(lane + 1)) for lane in thinned(lanes, 16)]
    y = axis("worker", ticks=ticks, range=[0.4, lanes + 0.6], reversed=True, plain=True)
    panel = Panel(axis(f"elapsed time, {name}", zero=True, tight=True), y, series, quiet=True)
    return Chart(
        "workers",
        "Workers",
        caption,
        [panel],
        height=max(130, min(430, 64 + 25 * lanes)),
        label=data_label(experiment.metadata),
        remark=f"busy {line.utilisation:.1%}",
    )


def busy_text(line: history.Timeline) -> str:
    """Return the share of the workers' time that attempts took, in a readable unit."""
    busy, available = (in_unit_of(line.available, seconds) for seconds in (line.busy, line.available))
    who = "1 worker was" if line.workers == 1 else f"{line.workers} workers were"
    return f"{who} busy {line.utilisation:.1%} of the time ({busy} of {available} in all)"


def _bars(attempts: Sequence[AttemptSpan], gap: float, *, several: bool) -> list[tuple[AttemptSpan, AttemptSpan, str]]:
    """Return first and last attempt and outcome of each bar; a gap below 0 joins nothing. `several`: of more nodes."""
    bars: dict[int, list[list[AttemptSpan]]] = {}
    for attempt in sorted(attempts, key=lambda a: (a.lane, a.start)):
        lane = bars.setdefault(attempt.lane, [])
        if lane and attempt.start - lane[-1][-1].end <= gap:
            lane[-1].append(attempt)
        else:
            lane.append([attempt])
    return [(bar[0], bar[-1], _words(bar, several)) for lane in bars.values() for bar in lane]


def _words(bar: Sequence[AttemptSpan], several: bool) -> str:
    first = bar[0]
    what = f"trial {first.trial}, attempt {first.number}, {first.status}" if len(bar) == 1 else f"{len(bar)} attempts"
    what += f" on {first.node}" if several and len(bar) == 1 and first.node is not None else ""
    return f"{what}: {first.start:.5g} to {bar[-1].end:.5g} s"


def importance_bars(experiment: Subject, found: Importance) -> Chart:
    """Chart the main effects of the hyperparameters with their intervals."""
    objective = experiment.state.objective
    resource = objective.resource_attr or "report"
    metric = objective.aims[found.aim].metric if objective.aims else objective.metric
    title = "Hyperparameter importance" + (f" for {metric}" if objective.aims else "")
    name = f"importance-{found.aim}" if found.aim else "importance"
    if found.reason is not None:
        return Chart(name, title, instead=f"Importance is not computed: {found.reason}.", wide=False)
    caption = (
        f"Functional ANOVA of a random forest fitted to the rank of {metric} at {resource} "
        f"{found.resource}, which {found.trials} trials reached: the share of variance over the whole space that each "
        f"hyperparameter explains alone, with {LEVEL:.0%} bootstrap intervals. {found.interactions:.0%} is interactions. "
        f"The forest predicts {max(found.explained, 0):.0%} of the variance of trials it has not seen"
    )
    caption += "." if found.trusted else f", less than {TRUSTED:.0%}: these shares describe noise, do not go by them."
    if some := [f"{share.name} in {share.trials}" for share in found.shares if share.trials is not None]:
        caption += f" Conditional: {', '.join(some)} trials; their shares are of the variance among these trials."
    if found.left_out:
        caption += f" Too few trials use {', '.join(found.left_out)} for a share."
    remark = f"of the rank at {resource} {found.resource}, out-of-bag R² {found.explained:.2f}"
    remark += "" if found.trusted else ", not trustworthy"
    shares = found.shares
    bars: Series = {
        "kind": "bars",
        "name": "",
        "colour": ACCENT if found.trusted else NEUTRAL,
        "x0": [0] * len(shares),
        "x": [share.share for share in shares],
        "y": list(range(len(shares))),
        "low": [share.low for share in shares],
        "high": [share.high for share in shares],
        "labels": [f"{s.name}: {s.share:.1%}, interval {s.low:.1%} to {s.high:.1%}" for s in shares],
        "thick": 0.62,
    }
    y = rows([s.name if s.trials is None else f"{s.name} ({s.trials} trials)" for s in shares])
    panel = Panel(axis("share of variance", zero=True, percent=True), y, [bars], quiet=True)
    return Chart(
        name,
        title,
        caption,
        [panel],
        height=70 + 28 * len(shares),
        label=data_label(experiment.metadata),
        wide=False,
        remark=remark,
    )
