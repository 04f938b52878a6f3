"""The rows of results.csv.zip, one per report, and errors in words a person uses."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hpo.config.schema import ExperimentConfig
from hpo.events.state import ExperimentState
from hpo.events.values import Event, Kind
from hpo.store.directory import ExperimentDirectory


class ReportRow(NamedTuple):
    """What is told of a report; where several parts have a name, the last one counts."""

    attempt: tuple[int, int]
    """Trial and attempt: their reports share `settings`."""
    metrics: Mapping[str, Any]
    facts: dict[str, Any]
    settings: dict[str, Any]
    more: dict[str, Any]

    def whole(self) -> dict[str, Any]:
        """By the names of the columns."""
        return {**self.metrics, **self.facts, **self.settings, **self.more}


def report_rows(config: ExperimentConfig, events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    """One row per stored report, in order."""
    return (row.whole() for row in rows_in_parts(config, events))


def rows_in_parts(config: ExperimentConfig, events: Iterable[Event]) -> Iterator[ReportRow]:
    """The rows of `report_rows`, in which what is the same for all reports of an attempt stays apart."""
    constants = {**config.space.constants, **config.benchmark.arguments}
    limit = config.benchmark.max_resource_attr
    state = ExperimentState(config.objective)
    settings: dict[tuple[int, int], dict[str, Any]] = {}
    count: Counter[tuple[int, int]] = Counter()
    for event in events:
        if event.kind != Kind.REPORTED:  # no attempt begins or ends by a report
            state.apply(event)
            continue
        trial_id, body = event.trial_id, event.body
        now = state.trials[trial_id]
        attempt = trial_id, now.attempt
        if attempt not in settings:
            told = {} if limit is None or now.until is None else {limit: now.until}
            chosen = {**now.trial.configuration, **constants, **told}
            of_attempt = {f"config_{name}": value for name, value in chosen.items()}
            settings[attempt] = {"st_status": "InProgress", "trial_id": trial_id, **of_attempt}
        facts = {
            "st_worker_timestamp": event.time,
            "st_worker_time": event.elapsed - now.began,
            "st_worker_iter": count[attempt],
            "st_decision": body["decision"],
        }
        more = {"st_tuner_time": event.elapsed, **body.get("extra", {})}
        yield ReportRow(attempt, body["metrics"], facts, settings[attempt], more)
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
            reported = event.body["metrics"]
            if not reported.keys() <= metrics.keys():
                metrics |= dict.fromkeys(reported)
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
