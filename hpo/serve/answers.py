"""Answers about one experiment that a page asks for: figures, a part of its trials, one trial. Made in the reading thread."""

import functools
import math
import os
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.errors import HPOError
from hpo.events.objective import Objective
from hpo.events.text import word
from hpo.events.trial_state import TrialState
from hpo.events.types import Status
from hpo.figures.chart import Chart
from hpo.figures.style import STATUS_COLOURS, seconds_scale
from hpo.history.curves import outcome
from hpo.history.record import AttemptSpan, FollowedExperiment
from hpo.history.trials import TrialRow, trial_rows
from hpo.serve.feed import Feed
from hpo.serve.logs import sizes
from hpo.serve.views import cut, number
from hpo.serve.wire import encoded
from hpo.store.untrusted import open_untrusted

PAGE = 100
"""Rows that are sent at once."""
LEAST = 2.0
"""Seconds for which figures are not made anew, unless the experiment is over."""
SHARE = 0.01
"""Of the time that making figures may take: what takes long is made less often."""
GROUPS = ("main", "space", "importance")


def chart_content(chart: Chart) -> dict[str, Any]:
    """A figure for the page's script, with the words around it."""
    return {
        **chart.content(),
        "caption": chart.caption,
        "instead": chart.instead,
        "needless": chart.needless,
        "wide": chart.wide,
    }


def _charts_of(group: str, subject: FollowedExperiment) -> list[Chart]:
    """The figures of the report."""
    from hpo.figures import experiment_charts, page_figures

    if group == "space":
        return page_figures.space(subject)
    if group == "importance":
        return page_figures.importances(subject)
    return [*page_figures.progress(subject), experiment_charts.rung_board(subject), experiment_charts.workers(subject)]


@dataclass
class _Made:
    sequence: int
    generation: str
    body: bytes
    made: float
    wait: float


class Figures:
    """The figures of one experiment, kept until they may be made anew.

    Args:
        feed: of the experiment.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._made: dict[str, _Made] = {}

    def body(self, group: str) -> bytes | None:
        """A group of figures, with the number of the event that is the last in them; None: there is no such group."""
        if group not in GROUPS:
            return None
        shown, made = self._feed.shown, self._made.get(group)
        if made is not None and made.generation == shown.generation:
            waits = time.monotonic() - made.made < made.wait and shown.condition == "running"
            if made.sequence == shown.sequence or waits:
                return made.body
        began = time.thread_time()
        subject = self._feed.subject()
        charts = [] if subject is None else [chart_content(chart) for chart in _charts_of(group, subject)]
        cost = time.thread_time() - began
        wait = max(LEAST, cost / SHARE)
        unit = seconds_scale(0.0 if subject is None else subject.state.elapsed)[0]
        body = encoded(
            {
                "cursor": f"{shown.generation}-{shown.sequence}",
                "sequence": shown.sequence,
                "reports": shown.reports,
                "charts": charts,
                "unit": unit,
                "wait": wait,
            }
        )
        self._made[group] = _Made(shown.sequence, shown.generation, body, time.monotonic(), wait)
        return body


COLUMNS: dict[str, Callable[[TrialRow], Any]] = {
    "trial": lambda row: row.trial,
    "status": lambda row: row.status,
    "attempts": lambda row: row.attempts,
    "resource": lambda row: row.resource,
    "last": lambda row: row.last,
    "best": lambda row: row.best,
    "at": lambda row: row.best_at,
    "seconds": lambda row: row.seconds,
}
"""What a table of trials is sorted by, besides the names of hyperparameters."""


def trials_body(feed: Feed, *, sort: str, down: bool, words: str, page: int) -> bytes:
    """Some rows of the table of trials.

    Args:
        feed: of the experiment.
        sort: a key of `COLUMNS`, or `x.NAME` for a hyperparameter; anything else: by trial.
        down: the largest first; what is missing comes last in both.
        words: that must occur in a row.
        page: from 0.
    """
    subject = feed.subject()
    if subject is None:
        return encoded({"columns": [], "rows": [], "found": 0, "total": 0, "page": 0, "pages": 1, "sequence": 0})
    names = list(subject.config.space.domains)
    further = [aim.metric for aim in subject.state.objective.aims][1:]
    rows = list(trial_rows(subject))
    total = len(rows)
    if wanted := words.lower().split():
        rows = [row for row in rows if _has(row, wanted)]
    of = COLUMNS.get(sort, COLUMNS["trial"])
    if sort.startswith("x.") and sort[2:] in names:
        of = functools.partial(_value_of, sort[2:])
    elif sort.startswith("o.") and sort[2:] in further:
        of = functools.partial(_further_of, further.index(sort[2:]))
    known = [row for row in rows if of(row) is not None]
    known.sort(key=lambda row: _order(of(row)), reverse=down)
    rows = [*known, *(row for row in rows if of(row) is None)]
    page_figures = max(1, math.ceil(len(rows) / PAGE))
    page = min(max(page, 0), page_figures - 1)
    objective = subject.state.objective
    resource = objective.resource_attr or "reports"
    heads = ["trial", "status", "attempts", resource, objective.metric, f"best {objective.metric}", f"at {resource}"]
    columns = [{"key": key, "name": cut(name)} for key, name in zip(COLUMNS, [*heads, "seconds"], strict=True)]
    return encoded(
        {
            "columns": [
                *columns,
                *({"key": f"o.{name}", "name": cut(name)} for name in further),
                *({"key": f"x.{name}", "name": cut(name)} for name in names),
            ],
            "rows": [_cells(row, names) for row in rows[page * PAGE : (page + 1) * PAGE]],
            "found": len(rows),
            "total": total,
            "page": page,
            "pages": page_figures,
            "sequence": feed.shown.sequence,
            "colours": STATUS_COLOURS,
        }
    )


def _value_of(name: str, row: TrialRow) -> Any:
    return row.configuration.get(name)


def _further_of(place: int, row: TrialRow) -> Any:
    return row.further[place]


def _order(value: Any) -> tuple[bool, Any]:
    """Numbers by size and before texts."""
    return (False, value) if isinstance(value, int | float) else (True, word(value))


def _has(row: TrialRow, words: Sequence[str]) -> bool:
    values = [f"trial {row.trial}", row.status, *(f"{k}={word(v)}" for k, v in row.configuration.items())]
    text = " ".join(values).lower()
    return all(one in text for one in words)


def _cells(row: TrialRow, names: Sequence[str]) -> list[Any]:
    results = [*(of(row) for of in COLUMNS.values()), *row.further]
    return [*results, *(_plain(row.configuration.get(name)) for name in names)]


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None if value is None else cut(word(value))
    return number(value) if abs(value) < 2**53 else str(value)


def trial_body(feed: Feed, trial_id: int) -> bytes | None:
    """One trial; None where there is none of that number."""
    subject = feed.subject()
    if subject is None or trial_id not in subject.state.trials:
        return None
    state, record = subject.state, subject.record
    trial, best = state.trials[trial_id], state.incumbent
    objective, own = state.objective, record.of_trial.get(trial_id)
    spans = list(record.attempts_of.get(trial_id, ()))
    if trial.status == Status.RUNNING:
        spans.append(AttemptSpan.of(trial, state.elapsed, "running"))
    return encoded(
        {
            "trial": trial_id,
            "status": trial.status.value,
            "outcome": outcome(trial.status.value),
            "resource": objective.resource_attr or "reports",
            "reached": trial.resource,
            "until": trial.until,
            "metric": cut(objective.metric),
            "value": None if trial.loss is None else number(objective.value(trial.loss)),
            "further": cut(_further_text(objective, trial)),
            "best": None if own is None or own.best_at is None else objective.value(own.best_loss),
            "best_at": None if own is None else own.best_at,
            "configuration": {name: _plain(value) for name, value in trial.trial.configuration.items()},
            "best_trial": best and best.trial_id,
            "best_configuration": best
            and {k: _plain(v) for k, v in state.trials[best.trial_id].trial.configuration.items()},
            "attempts": [_attempt(feed.files.path, span) for span in spans],
            "curve": None
            if own is None
            else {"x": own.resources.tolist(), "y": [number(value) for value in own.values]},
            "command": shlex.join(["hpo", "reproduce", str(feed.files.path), "--trial", str(trial_id)]),
            "sequence": feed.shown.sequence,
        }
    )


def _further_text(objective: Objective, trial: TrialState) -> str:
    """The objectives after the first in its last report."""
    losses = zip(objective.aims[1:], trial.losses[1:], strict=False)
    return " ".join(f"{aim.metric}={aim.value(loss):.6g}" for aim, loss in losses)


def _attempt(directory: Path, span: AttemptSpan) -> dict[str, Any]:
    return {
        "number": span.number,
        "start": span.start,
        "end": span.end,
        "status": span.status,
        "worker": span.lane,
        "node": None if span.node is None else cut(span.node),
        "logs": sizes(directory, span.trial, span.number),
    }


def configuration_text_of(feed: Feed) -> str:
    """experiment.yaml as it is, its first 256 kB. A link in its place leads elsewhere, and is not followed.

    Raises:
        HPOError: it cannot be read.
    """
    try:
        feed.check_place()
        with os.fdopen(open_untrusted(feed.files.config), "rb") as file:
            return file.read(256 * 1024).decode(errors="replace")
    except OSError as error:
        raise HPOError(f"{feed.files.config}: cannot be read ({error.strerror})") from error
