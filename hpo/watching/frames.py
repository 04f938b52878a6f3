"""Text frames about an experiment or the experiments of a sweep, for a terminal of any size and readable without colour.

`rich` is imported when the first frame is drawn, so that a run without a live view never loads it.
"""

import math
from collections.abc import Container, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from hpo.events.objective import Aim
from hpo.events.text import best_name, best_text, clock, configuration_text, counts_text, printable, steering_text
from hpo.events.trial_state import TrialState
from hpo.history.conditions import ERROR
from hpo.history.device_use import limited_use_text
from hpo.history.follower import Snapshot
from hpo.history.live_board import Board
from hpo.results.hypervolume import hypervolume_text

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

BAR = 24
MOST_LATEST = 12
MOST_OF_A_NODE = 20
"""Characters of a node's name that are shown: its end, in which generated names differ."""
MOST_WORKERS = 16
STYLES = {
    "running": "cyan",
    "complete": "green",
    "completed": "green",
    **dict.fromkeys(("failed", "timeout", ERROR), "red"),
}


def experiment_frame(seen: Snapshot, width: int, height: int) -> "Group":
    """Return a frame about one experiment: progress, best, workers, rungs, failures and, with room, latest trials."""
    from rich.console import Group

    return Group(*_experiment(seen, width, height))


def sweep_frame(experiments: Sequence[Snapshot], width: int, height: int) -> "Group":
    """Return a frame about several experiments: a row each, running ones first, and the first in full if there is room."""
    from rich.console import Group

    if len(experiments) == 1:
        return experiment_frame(experiments[0], width, height)
    ordered = sorted(experiments, key=lambda seen: _ORDER.get(seen.condition, len(_ORDER)))
    running = [seen for seen in ordered if seen.condition == "running"]
    detail = 16 if running and height >= 26 else 0
    most = max(height - 4 - detail, 1)
    trials = sum(len(seen.board.state.trials) for seen in experiments)
    summary = f"{len(experiments)} experiments ({_conditions(experiments)}), {trials} trials"
    lines = [_text(summary, "bold"), _text(""), *_overview(ordered[:most], width)]
    if len(ordered) > most:
        lines.append(_text(f"… and {len(ordered) - most} more: {_conditions(ordered[most:])}"))
    if detail:
        lines += [_text(""), *_experiment(running[0], width, height - len(lines) - 1)]
    return Group(*lines)


_ORDER = {"running": 0, "waiting": 1, ERROR: 2, "interrupted": 3, "failed": 4, "complete": 5}


def _conditions(experiments: Sequence[Snapshot]) -> str:
    counts = {name: sum(seen.condition == name for seen in experiments) for name in _ORDER}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _overview(experiments: Sequence[Snapshot], width: int) -> list["Text"]:
    one = len({seen.board.config.benchmark.name for seen in experiments}) == 1
    several = any(seen.board.state.objective.aims for seen in experiments)
    names = ["experiment", "state", "time", "done", "trials", "best", "trial"]
    names += ["front", "hypervolume"] if several else []
    rows = []
    for seen in experiments:
        board, state, config = seen.board, seen.board.state, seen.board.config
        name = f"{config.method.name} seed {config.seed}"
        progress = board.progress(seen.elapsed)
        best = state.incumbent
        rows.append(
            [
                name if one else f"{config.benchmark.name} {name}",
                seen.condition,
                clock(seen.elapsed),
                "" if progress is None else f"{progress.share:.0%}",
                str(len(state.trials)),
                _value(board, best.loss if best else None),
                str(best.trial_id) if best else "",
                *((str(len(state.front)), f"{board.hypervolume:.4f}") if several else ()),
            ]
        )
    return _grid(names, rows, width, right=range(2, len(names)), states=1)


def _experiment(seen: Snapshot, width: int, height: int) -> list["Text"]:
    lines = [*_head(seen), *_steered(seen), *_best(seen)]
    used = len(lines) + sum(len(line.plain) // max(width, 1) for line in lines[-2:])  # the last two lines may wrap
    for block in (_workers(seen, width), _rungs(seen.board, width), _failures(seen.board)):
        if block and used + len(block) <= height:
            lines += block
            used += len(block)
    if latest := seen.board.latest(min(height - used - 2, MOST_LATEST)):
        lines += [_text(""), *_trials(seen.board, latest, width)]
    return lines


def _head(seen: Snapshot) -> list["Text"]:
    board = seen.board
    title = _text(board.name, "bold")
    title.append("  ")
    title.append(seen.condition, STYLES.get(seen.condition, ""))
    title.append(f" {clock(seen.elapsed)}" + (f"  {printable(seen.detail)}" if seen.detail else ""), "not bold")
    progress = board.progress(seen.elapsed)
    if progress is None:
        return [title]
    if board.state.finished is not None:
        return [title, _text(f"{_bar(1.0)} {progress.budget}")]
    line = f"{_bar(progress.share)} {progress.share:.0%}, {progress.budget}"
    if progress.seconds_left is not None and seen.condition == "running":
        line += f", about {clock(progress.seconds_left)} left"
    return [title, _text(line)]


def _steered(seen: Snapshot) -> list["Text"]:
    text = steering_text(seen.board.state)
    return [_text(text)] if text else []


def _best(seen: Snapshot) -> list["Text"]:
    from rich.text import Text

    board = seen.board
    overall, recent = board.utilisation(seen.elapsed)
    busy = f"workers busy {overall:.0%}" + (f", {recent:.0%} in the last minute" if seen.condition == "running" else "")
    if use := limited_use_text(board.config, board.state, elapsed=seen.elapsed):
        busy += f"; {use}"
    best = Text.assemble((f"{printable(best_name(board.state))} ", "bold"), printable(best_text(board.state)))
    best.append(hypervolume_text(board.config, board.state.front, board.hypervolume))
    if board.config.target_value is not None:
        best.append(f"; target {board.config.target_value:g}")
    return [
        best,
        Text(f"{counts_text(board.state)}; {busy}"),
    ]


def _workers(seen: Snapshot, width: int) -> list["Text"]:
    board = seen.board
    if seen.condition != "running" and not board.state.running:
        return []
    workers = board.workers(seen.elapsed)
    resource = board.state.objective.resource_attr or "reports"
    gpus = any(row.devices for row in workers)
    several = any(row.node for row in workers)
    names = [
        "worker",
        *(["node"] if several else []),
        *(["gpu"] if gpus else []),
        "busy",
        "trial",
        resource,
        board.state.objective.metric,
        "for",
    ]
    rows = []
    for row in workers[:MOST_WORKERS]:
        places = [
            *([_node(row.node)] if several else []),
            *([_devices(row.devices, seen.gpu_use)] if gpus else []),
        ]
        cells = [str(row.worker), *places, f"{row.used:.0%}"]
        state = row.state
        if state is None:
            rows.append([*cells, "idle"])
            continue
        where = str(state.resource) if state.until is None else f"{state.resource}/{state.until}"
        rows.append(
            [
                *cells,
                str(state.trial.id),
                where if state.ending is None else "ending",
                _value(board, state.loss),
                clock(row.seconds),
                configuration_text(state.trial.configuration),
            ]
        )
    lines = [_text(""), *_grid([*names, "configuration"], rows, width, right=range(1 + several + gpus, len(names)))]
    if len(workers) > MOST_WORKERS:
        lines.append(_text(f"… and {len(workers) - MOST_WORKERS} more"))
    return lines


def _node(name: str) -> str:
    """Return a host's name without its domain, shortened."""
    return (name if name.replace(".", "").isdigit() else name.partition(".")[0])[-MOST_OF_A_NODE:]


def _devices(names: str, use: Mapping[str, int]) -> str:
    """Return device numbers as text, such as `0,1`, or `0:97%,1:95%` if their utilisation is known."""
    return ",".join(f"{name}:{use[name]}%" if name in use else name for name in names.split(","))


def _rungs(board: Board, width: int) -> list["Text"]:
    if not (rungs := board.rungs.rows(board.state)):
        return []
    resource = board.state.objective.resource_attr or "reports"
    promotes = board.rungs.promotes
    middle = ("waiting", "promoted") if promotes else ("stopped",)
    names = (f"rung ({resource})", "on the way", "reached", *middle, f"best {board.state.objective.metric}")
    rows = []
    for row in rungs:
        shown = ["" if row.level == board.rungs.maximum else str(getattr(row, name)) for name in middle]
        rows.append([str(row.level), str(row.running or ""), str(row.reached), *shown, _value(board, row.best)])
    line = f"next: {board.next_text()}"
    if board.rungs.promotions:
        _, trial_id, level, until = board.rungs.promotions[-1]
        line += f"; promoted last: trial {trial_id} from {level}" + ("" if until is None else f" to {until}")
    return [_text(""), *_grid(names, rows, width, right=range(len(names))), _text(line)]


def _failures(board: Board) -> list["Text"]:
    lines = [f"{clock(one.elapsed)} trial {one.trial_id} {one.status}: {one.reason}" for one in board.failures]
    if not lines:
        return []
    return [_text(""), *(_text(line, "red") for line in lines), _text(f"log of the last: {board.failures[-1].log}")]


def _trials(board: Board, trials: Sequence[TrialState], width: int) -> list["Text"]:
    objective = board.state.objective
    metrics = [aim.metric for aim in objective.each]
    names = ("trial", "state", objective.resource_attr or "reports", *metrics, "configuration")
    rows = [
        [
            str(row.trial.id),
            row.status.value,
            str(row.resource or ""),
            *(_of_aim(aim, loss) for aim, loss in zip_longest(objective.each, row.losses)),
            configuration_text(row.trial.configuration),
        ]
        for row in trials
    ]
    return _grid(names, rows, width, right=(0, *range(2, 3 + len(metrics))), states=1)


def _grid(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    right: Container[int] = (),
    states: int | None = None,
) -> list["Text"]:
    """Return aligned columns as lines, cut off at the width. Column `states` is coloured by its text.

    Takes a tenth of the time of rich's tables; a run draws these in the thread that makes decisions.
    """
    from rich.cells import cell_len, set_cell_size

    shown = [[printable(cell) for cell in row] for row in (names, *rows)]
    widths = [max(cell_len(row[i]) for row in shown if i < len(row)) for i in range(len(names))]
    lines = []
    for number, row in enumerate(shown):
        line = _text("", "" if number else "bold")
        for index, cell in enumerate(row):
            room = width - cell_len(line.plain)
            if index == len(names) - 1 and index not in right:
                cell = cell if cell_len(cell) <= room else set_cell_size(cell, max(room - 1, 0)) + "…"
            else:
                gap = " " * (widths[index] - cell_len(cell))
                cell = gap + cell if index in right else cell + gap
            line.append(cell, STYLES.get(cell.strip()) if index == states else None)
            if index < len(row) - 1:
                line.append("  ")
        lines.append(line)
    return lines


def _text(text: str, style: str = "") -> "Text":
    """Return one line of plain text without markup, cut off at the terminal's width."""
    from rich.text import Text

    return Text(printable(text), style=style, no_wrap=True, overflow="ellipsis")


def _bar(share: float) -> str:
    full = round(share * BAR)
    return "█" * full + "░" * (BAR - full)


def _value(board: Board, loss: float | None) -> str:
    return _of_aim(board.state.objective.each[0], loss)


def _of_aim(aim: Aim, loss: float | None) -> str:
    if loss is None:
        return ""
    return f"{aim.value(loss):.5g}" if math.isfinite(loss) else "not finite"
