"""The HTML of an experiment in a notebook: its overview, the best result over time, and its best trials.

It has no script, no style sheet and no colours of its own: untrusted notebooks and sites that show them drop scripts
and style sheets, and the page may be light or dark. All text is escaped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from hpo.events.state import ExperimentState
from hpo.events.text import clock, configuration_text
from hpo.events.types import Event, Kind

MOST_TRIALS = 10
MOST_STEPS = 200
"""Largest number of steps of the line; more would be too close together to see."""
LONGEST = 300
"""Largest number of characters of a configuration."""

_WIDTH, _HEIGHT = 480, 140


@dataclass(frozen=True)
class _Best:
    """The best report of a trial."""

    loss: float
    trial: int
    resource: int
    elapsed: float


def as_html(overview: str, state: ExperimentState, events: Sequence[Event]) -> str:
    """Return an experiment as HTML of at most 20 kB.

    Args:
        overview: Headline of one or more lines.
        state: State of the experiment.
        events: All events of the experiment.
    """
    bests: dict[int, _Best] = {}
    steps: list[_Best] = []
    for event in events:
        if event.kind != Kind.REPORTED:
            continue
        loss = state.objective.merit(event.body["metrics"], event.reached)
        report = _Best(loss, event.trial_id, event.reached, event.elapsed)
        if loss != float("inf") and (report.trial not in bests or loss < bests[report.trial].loss):
            bests[report.trial] = report
            if not steps or loss < steps[-1].loss:
                steps.append(report)
    parts = [f"<pre>{escape(_within(overview, 4 * LONGEST))}</pre>"]
    if state.objective.aims:
        return f"<div>{''.join([*parts, _front(state)])}</div>"
    if steps:
        parts += [_line(state, steps), _table(state, bests)]
    return f"<div>{''.join(parts)}</div>"


def _line(state: ExperimentState, steps: Sequence[_Best]) -> str:
    """Return an SVG plot of the best result over time, as a step function."""
    objective = state.objective
    values = [objective.value(step.loss) for step in steps]
    low, high, end = min(values), max(values), max(state.elapsed, steps[-1].elapsed) or 1.0
    span = (high - low) or 1.0
    kept = [*range(0, len(steps), -(-len(steps) // MOST_STEPS))]
    if kept[-1] != len(steps) - 1:
        kept.append(len(steps) - 1)
    path = ""
    for index in kept:
        x = steps[index].elapsed / end * _WIDTH
        y = (high - values[index]) / span * _HEIGHT
        path += f"H{x:.1f}V{y:.1f}" if path else f"M{x:.1f},{y:.1f}"
    said = f"best {objective.metric} so far: from {values[0]:.6g} to {values[-1]:.6g} in {clock(end)}"
    return (
        f'<figure style="margin:0"><svg role="img" aria-label="{escape(said)}" width="{_WIDTH}" height="{_HEIGHT + 10}" '
        f'viewBox="-4 -5 {_WIDTH + 8} {_HEIGHT + 10}"><path d="{path}H{_WIDTH}" fill="none" stroke="currentColor" '
        f'stroke-width="2"/></svg><figcaption>{escape(said)}</figcaption></figure>'
    )


def _table(state: ExperimentState, bests: Mapping[int, _Best]) -> str:
    objective = state.objective
    ranked = sorted(bests.values(), key=lambda best: (best.loss, best.trial))[:MOST_TRIALS]
    head = ("trial", "status", objective.metric, objective.resource_attr or "report", "configuration")
    rows = [
        (
            str(best.trial),
            state.trials[best.trial].status.value,
            f"{objective.value(best.loss):.6g}",
            str(best.resource),
            _within(configuration_text(state.trials[best.trial].trial.configuration), LONGEST),
        )
        for best in ranked
    ]
    return html_table([_within(name, LONGEST) for name in head], rows)


def _front(state: ExperimentState) -> str:
    """Return a table of the Pareto front, sorted by the first objective; of a long front an evenly spaced selection."""
    objective = state.objective
    kept = state.front[:: -(-len(state.front) // MOST_TRIALS) or 1]
    caption = (
        "the front" if len(kept) == len(state.front) else f"{len(kept)} of the {len(state.front)} reports on the front"
    )
    head = (
        "trial",
        "status",
        *(aim.metric for aim in objective.aims),
        objective.resource_attr or "report",
        "configuration",
    )
    rows = [
        (
            str(point.trial_id),
            state.trials[point.trial_id].status.value,
            *(f"{value:.6g}" for value in objective.values(point.losses).values()),
            str(point.resource),
            _within(configuration_text(state.trials[point.trial_id].trial.configuration), LONGEST),
        )
        for point in kept
    ]
    return html_table([_within(name, LONGEST) for name in head], rows, caption) if rows else ""


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """Return an HTML table of texts."""
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    cells = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{names}</tr></thead><tbody>{cells}</tbody></table>"


def _within(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} …"
