"""Plain values about an experiment for a page: its board, its row in the list of experiments, and its reports.

The values are those of `hpo watch` and of the report; this module only gives them a form. Users' texts stay plain texts.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hpo.events.text import best_text, configuration_text, counts_text, held_out_text, steering_text
from hpo.events.trial_state import TrialState
from hpo.figures.style import thinned
from hpo.history.conditions import noted_condition
from hpo.history.device_use import limited_use_text
from hpo.history.follower import Snapshot
from hpo.history.live_board import Board
from hpo.history.record import Record
from hpo.results.hypervolume import hypervolume_text
from hpo.store.directory import ExperimentDirectory, read_json
from hpo.store.untrusted import MOST_ROW

MOST_WORKERS = 16
MOST_TEXT = 240
"""Largest number of characters of a user's text in messages that are sent again and again."""
SPARK = 40
"""Number of points of the small line in a row that shows the best result so far."""


def cut(text: str, most: int = MOST_TEXT) -> str:
    """Return a user's text, shortened to at most so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def number(value: float | None) -> float | None:
    """Return a number if JSON can represent it, otherwise None."""
    return value if value is not None and math.isfinite(value) else None


def board_view(seen: Snapshot) -> dict[str, Any]:
    """Return the board of an experiment: a few kB, however long it has run."""
    board, state = seen.board, seen.board.state
    config, objective = board.config, board.state.objective
    overall, recent = board.utilisation(seen.elapsed)
    return {
        **_head(seen),
        "counts": counts_text(state),
        "statuses": {status.value: count for status, count in state.counts().items()},
        "reports": state.reports,
        "busy": overall,
        "recent": recent,
        "target": config.target_value,
        "devices": limited_use_text(config, state, elapsed=seen.elapsed),
        "finished": state.finished,
        "resource": objective.resource_attr or "reports",
        "gpu_use": dict(seen.gpu_use),
        "workers": _workers(seen),
        "rungs": _rungs(board),
        "next": board.next_text() if seen.condition == "running" else "",
        "failures": [
            {"elapsed": f.elapsed, "trial": f.trial_id, "status": f.status, "reason": cut(f.reason)}
            for f in reversed(board.failures)
        ],
        "code_changes": sorted({*state.code.changes, *(edit.session for edit in state.code.edits)}),
        "steered": cut(steering_text(state)),
    }


def row_view(seen: Snapshot, record: Record) -> dict[str, Any]:
    """Return an experiment's row in the list of experiments."""
    state = seen.board.state
    kept = [record.improvements[i] for i in thinned(len(record.improvements), SPARK)]
    return {
        **_head(seen),
        "running": len(state.running),
        "spark": [[elapsed for elapsed, _ in kept], [state.objective.value(loss) for _, loss in kept]],
    }


def noted_row(files: ExperimentDirectory) -> dict[str, Any]:
    """Return an experiment's row before its log is read, from its metadata and its directory's name."""
    noted = read_json(files.metadata, MOST_ROW)

    def text(key: str, otherwise: str) -> str:
        value = noted.get(key)
        return cut(value) if isinstance(value, str) else otherwise

    path = files.path
    seed = noted.get("seed")
    return {
        "benchmark": text("benchmark", path.parents[1].name if len(path.parents) > 1 else ""),
        "method": text("algorithm", path.parent.name),
        "seed": seed if isinstance(seed, int) else None,
        "condition": "reading",
        "detail": "",
        "noted": noted_condition(noted),
    }


def _head(seen: Snapshot) -> dict[str, Any]:
    board, state = seen.board, seen.board.state
    best, progress = state.incumbent, board.progress(seen.elapsed)
    config, objective = board.config, state.objective
    return {
        "benchmark": cut(config.benchmark.name),
        "method": cut(config.method.name),
        "seed": config.seed,
        "tag": cut(config.experiment_tag),
        "condition": seen.condition,
        "detail": cut(seen.detail),
        "elapsed": seen.elapsed,
        "ticking": seen.condition == "running" and not config.simulated,
        "told": None if config.simulated else board.told or None,
        "metric": cut(objective.metric),
        "mode": objective.mode,
        "front": cut(best_text(state) + hypervolume_text(config, state.front, board.hypervolume))
        if state.front
        else None,
        "trials": len(state.trials),
        "n_workers": state.n_workers or config.n_workers,
        "progress": progress
        and {"share": progress.share, "budget": cut(progress.budget), "left": number(progress.seconds_left)},
        "best": best
        and {
            "value": objective.value(best.loss),
            "trial": best.trial_id,
            "resource": best.resource,
            "elapsed": best.elapsed,
            "test": cut(held_out_text(state)),
            "confirmed": cut(seen.confirmed),
            "configuration": cut(configuration_text(state.trials[best.trial_id].trial.configuration), 800),
        },
    }


def _workers(seen: Snapshot) -> dict[str, Any]:
    board = seen.board
    if seen.condition != "running" and not board.state.running:
        return {"rows": [], "more": 0}
    found = board.workers(seen.elapsed)
    rows = [
        {
            "worker": row.worker,
            "node": row.node,
            "devices": row.devices,
            "used": row.used,
            "seconds": row.seconds,
            "trial": row.state and _at_work(board, row.state),
        }
        for row in found[:MOST_WORKERS]
    ]
    return {"rows": rows, "more": len(found) - len(rows)}


def _at_work(board: Board, state: TrialState) -> dict[str, Any]:
    loss = state.loss
    return {
        "trial": state.trial.id,
        "resource": state.resource,
        "until": state.until,
        "ending": state.ending is not None,
        "value": None if loss is None else number(board.state.objective.value(loss)),
        "configuration": cut(configuration_text(state.trial.configuration), 120),
    }


def _rungs(board: Board) -> dict[str, Any]:
    value = board.state.objective.value
    rows = [
        {
            "level": row.level,
            "running": row.running,
            "reached": row.reached,
            "waiting": row.waiting,
            "promoted": row.promoted,
            "stopped": row.stopped,
            "best": None if row.best is None else number(value(row.best)),
        }
        for row in board.rungs.rows(board.state)
    ]
    last = board.rungs.promotions[-1] if board.rungs.promotions else None
    promoted = last and {"trial": last[1], "from": last[2], "to": last[3]}
    return {"rows": rows, "promotes": board.rungs.promotes, "maximum": board.rungs.maximum, "last": promoted}


def columns_of(record: Record, begin: int, end: int) -> Mapping[str, Sequence[Any]]:
    """Return a range of the record's reports, column by column."""
    reports = record.reports
    part = slice(begin, end)
    return {
        "n": reports.sequences[part].tolist(),
        "trial": reports.trials[part].tolist(),
        "x": reports.resources[part].tolist(),
        "y": [number(value) for value in reports.values[part]],
        "t": reports.elapsed[part].tolist(),
        "ok": reports.feasible[part].tolist(),
    }
