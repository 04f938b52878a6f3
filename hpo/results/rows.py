"""The rows of results.csv.zip, one per report, and short explanations of failed attempts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hpo.config.schema import ExperimentConfig
from hpo.events.types import Configuration, Event, Kind
from hpo.store.directory import ExperimentDirectory, log_of_attempt


@dataclass(slots=True, eq=False)
class ReportedAttempt:
    """The columns that all reports of an attempt share."""

    settings: dict[str, Any]
    began: float
    reports: int = 0
    """Number of reports so far."""


class ReportRow(NamedTuple):
    """The columns of one report in three parts; if several parts have the same name, the last one counts."""

    told: dict[str, Any]
    """Metrics and facts of the report."""
    attempt: ReportedAttempt
    """Attempt of the report, whose settings are the second part."""
    more: dict[str, Any]

    def whole(self) -> dict[str, Any]:
        """Return all columns of the report by name."""
        return {**self.told, **self.attempt.settings, **self.more}


def report_rows(config: ExperimentConfig, events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    """Return one row per stored report, in order."""
    return (row.whole() for row in rows_in_parts(config, events))


def rows_in_parts(config: ExperimentConfig, events: Iterable[Event]) -> Iterator[ReportRow]:
    """Yield the rows of `report_rows` in parts, so that values shared by the reports of an attempt are kept once."""
    constants = {**config.space.constants, **config.benchmark.arguments}
    limit = config.benchmark.max_resource_attr
    configurations: dict[int, Configuration] = {}
    attempts: dict[tuple[int, int], ReportedAttempt] = {}
    for event in events:
        trial_id, number, body = event.trial, event.attempt, event.body
        if trial_id is None or number is None:
            continue
        if event.kind == Kind.REPORTED:
            attempt = attempts[trial_id, number]
            told = {
                **body["metrics"],
                "st_worker_timestamp": event.time,
                "st_worker_time": event.elapsed - attempt.began,
                "st_worker_iter": attempt.reports,
                "st_decision": body["decision"],
            }
            attempt.reports += 1
            yield ReportRow(told, attempt, {"st_tuner_time": event.elapsed, **body.get("extra", {})})
        elif event.kind in _BEGINNINGS:
            configuration = configurations.setdefault(trial_id, body.get("configuration", {}))
            end = {} if limit is None or body["until"] is None else {limit: body["until"]}
            chosen = {**configuration, **constants, **end}
            of_attempt = {f"config_{name}": value for name, value in chosen.items()}
            settings = {"st_status": "InProgress", "trial_id": trial_id, **of_attempt}
            attempts[trial_id, number] = ReportedAttempt(settings, event.elapsed)
        elif event.kind == Kind.ENDED and (following := attempts.get((trial_id, number + 1))) is not None:
            following.began = event.elapsed  # the trial was resumed before its previous processes had ended


_BEGINNINGS = frozenset({Kind.STARTED, Kind.RESUMED, Kind.RESTARTED})

ALWAYS = ("st_worker_timestamp", "st_worker_time", "st_worker_iter", "st_decision", "st_status", "trial_id")
"""Columns that every table of results has, with Syne Tune\'s names."""


def columns(config: ExperimentConfig, events: Iterable[Event]) -> list[str]:
    """Return the column names of `report_rows`, in the order in which they first appear."""
    space, benchmark = config.space, config.benchmark
    known = [*space.domains, *space.constants, *benchmark.arguments, benchmark.max_resource_attr]
    metrics: dict[str, None] = {}
    extra: dict[str, None] = {}
    for event in events:
        if event.kind == Kind.REPORTED:
            reported = event.body["metrics"]
            if not reported.keys() <= metrics.keys():
                metrics |= dict.fromkeys(reported)
            extra |= dict.fromkeys(event.body.get("extra", ()))
    settings = [f"config_{name}" for name in known if name is not None]
    return list(dict.fromkeys([*metrics, *ALWAYS, *settings, "st_tuner_time", *extra]))


def reason_of(end: Event) -> str:
    """Return why a trial failed, in one line: the line of the script if it is known, and the last line of its error."""
    where, last = end.body.get("where"), last_line(end.body.get("error")) or "no message"
    return f"{where}: {last}" if where else last


def log_of(directory: Path | None, end: Event) -> Path | None:
    """Return the log of an attempt that ended: its standard error, or its output if that is empty; None if both are."""
    if directory is None or end.attempt is None:
        return None
    return log_of_attempt(ExperimentDirectory(directory).attempt(end.trial_id, end.attempt))


def last_line(text: str | None) -> str:
    """Return the last line of an error text, usually the most informative one; empty if there is none."""
    return ((text or "").strip().splitlines() or [""])[-1].strip()
