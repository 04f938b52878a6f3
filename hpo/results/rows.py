"""The rows of results.csv.zip, one per report, and errors in words a person uses."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.events.state import ExperimentState
from hpo.events.values import Event, Kind
from hpo.store.directory import ExperimentDirectory


def report_rows(config: ExperimentConfig, events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    """One row per stored report, in order."""
    constants = {**config.space.constants, **config.benchmark.arguments}
    limit = config.benchmark.max_resource_attr
    state = ExperimentState(config.objective)
    columns: dict[tuple[int, int], dict[str, Any]] = {}
    count: Counter[tuple[int, int]] = Counter()
    for event in events:
        if event.kind != Kind.REPORTED:  # no attempt begins or ends by a report
            state.apply(event)
            continue
        now = state.trials[event.trial_id]
        attempt = event.trial_id, now.attempt
        if attempt not in columns:
            told = {} if limit is None or now.until is None else {limit: now.until}
            settings = {**now.trial.configuration, **constants, **told}
            columns[attempt] = {f"config_{name}": value for name, value in settings.items()}
        yield {
            **event.body["metrics"],
            "st_worker_timestamp": event.time,
            "st_worker_time": event.elapsed - now.began,
            "st_worker_iter": count[attempt],
            "st_decision": event.body["decision"],
            "st_status": "InProgress",
            "trial_id": event.trial_id,
            **columns[attempt],
            "st_tuner_time": event.elapsed,
            **event.body.get("extra", {}),
        }
        count[attempt] += 1


ALWAYS = ("st_worker_timestamp", "st_worker_time", "st_worker_iter", "st_decision", "st_status", "trial_id")
"""Columns that every table of results has, with Syne Tune\'s names."""


def columns(config: ExperimentConfig, events: Iterable[Event]) -> list[str]:
    """The names in `report_rows`, each where it comes first."""
    space, benchmark = config.space, config.benchmark
    known = [*space.domains, *space.constants, *benchmark.arguments, benchmark.max_resource_attr]
    metrics: dict[str, None] = {}
    extra: dict[str, None] = {}
    for event in events:
        if event.kind == Kind.REPORTED:
            metrics |= dict.fromkeys(event.body["metrics"])
            extra |= dict.fromkeys(event.body.get("extra", ()))
    settings = [f"config_{name}" for name in known if name is not None]
    return list(dict.fromkeys([*metrics, *ALWAYS, *settings, "st_tuner_time", *extra]))


def reason_of(end: Event) -> str:
    """Why a trial failed, in one line: the line of the script where that is known, and the last of its error."""
    where, last = end.body.get("where"), last_line(end.body.get("error")) or "no message"
    return f"{where}: {last}" if where else last


def log_of(directory: Path | None, end: Event) -> Path | None:
    """What the attempt that ended has printed: its standard error, or its output where that is empty; None: nothing."""
    if directory is None or end.attempt is None:
        return None
    folder = ExperimentDirectory(directory).attempt(end.trial_id, end.attempt)
    logs = [folder / name for name in ("stderr.log", "stdout.log")]
    return next((log for log in logs if log.is_file() and log.stat().st_size > 0), None)


def last_line(text: str | None) -> str:
    """The last line of an error, which says most; empty where there is none."""
    return ((text or "").strip().splitlines() or [""])[-1].strip()
