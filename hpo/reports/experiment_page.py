"""The report of one experiment, finished or not, from its event log."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo.errors import StoreError
from hpo.events.device_time import price_of
from hpo.events.outcome import no_trial_met
from hpo.events.text import (
    again_text,
    clock,
    code_changes_of,
    code_versions_text,
    configuration_text,
    days_text,
    steering_text,
    word,
)
from hpo.events.types import Kind, Status
from hpo.figures import experiment_charts as charts
from hpo.figures import page_figures
from hpo.figures.style import STATUS_COLOURS, data_label
from hpo.history import curves as history
from hpo.history.conditions import condition_of_experiment
from hpo.history.device_use import device_hours, limits_devices
from hpo.history.trials import trial_rows
from hpo.reports.lineage import lineage
from hpo.reports.page import (
    PageColumn,
    PageTable,
    Part,
    Section,
    escaped,
    facts,
    folded,
    link_to,
    paragraph,
    render,
    tiles,
)
from hpo.results.confirmed import confirmed_text
from hpo.results.experiment import Experiment
from hpo.results.hypervolume import front_share
from hpo.results.rows import last_line
from hpo.store.directory import ExperimentDirectory
from hpo.store.untrusted import MOST_CONFIG, read_untrusted

MOST_FAILURES = 50
LOGS = ("stdout.log", "stderr.log")


def experiment_page(experiment: Experiment, output: Path) -> str:
    """Return the report of an experiment as HTML.

    Args:
        experiment: A loaded experiment.
        output: File that the report will be written to; links are relative to it.
    """
    config = experiment.config
    title = f"{config.benchmark.name} · {config.method.name} · seed {config.seed}"
    label = data_label(experiment.metadata)
    finished = experiment.state.finished
    condition = condition_of_experiment(experiment)
    told = f"{condition.name}: {finished or condition.error}" if finished or condition.error else condition.name
    told += "" if finished else ", not complete when this report was written"
    began, ended = (experiment.metadata.get(f"st_tuner_{key}_timestamp") for key in ("creation", "end"))
    when = days_text(began, ended if finished else None)
    where = " · ".join(filter(None, (config.experiment_tag, told, when, label and f"{label} data")))
    failures = list(_failures(experiment))
    sections = [
        Section("progress", "Progress", page_figures.progress(experiment)),
        Section(
            "decisions",
            "Decisions and workers",
            [charts.rung_board(experiment), *page_figures.importances(experiment), charts.workers(experiment)],
        ),
        Section("space", "Search space", page_figures.space(experiment)),
        Section("trials", "Trials", [*_front(experiment), *lineage(experiment), _trials(experiment, output)]),
        Section("failures", f"Failures ({len(failures)})", _failure_parts(failures)),
        Section("configuration", "Configuration and provenance", _provenance(experiment)),
    ]
    return render(title, where, [_headline(experiment)], sections)


def _headline(experiment: Experiment) -> str:
    state, best = experiment.state, experiment.best
    objective = state.objective
    line = history.timeline(experiment)
    counts = ", ".join(f"{count} {status.value}" for status, count in state.counts().items())
    value, remark = "none" if state.finished else "none yet", ""
    if best is None and state.closest is not None:
        remark = no_trial_met(objective.constraints, state.closest)
    if best is not None:
        value = f"{best[objective.metric]:.6g}"
        resource = objective.resource_attr or "report"
        remark = f"trial {best['trial_id']}, {resource} {best[resource]}"
    shown = [
        (f"best {objective.metric} ({objective.mode})", value, remark),
        *_held_out_tiles(experiment),
        *([_front_tile(experiment)] if objective.aims else []),
        ("trials", f"{len(state.trials):,}", counts),
        ("reports", f"{state.reports:,}", ""),
        ("elapsed time", clock(state.elapsed), f"{state.elapsed:.0f} s" if state.elapsed >= 60 else ""),
        *([(f"{cost} of all trials", f"{state.spending.total:.6g}", "")] if (cost := objective.cost_attr) else []),
        *_device_tiles(experiment),
        ("workers", str(line.workers), f"busy {line.utilisation:.1%}" if line.attempts else ""),
    ]
    if text := again_text(state):
        shown.append(("trained again", f"{sum(state.again.values()):,}", text))
    for when, _, names in code_changes_of(state):
        shown.append(("code changed", when, f"{names}; results of both are mixed"))
    if text := code_versions_text(state):
        shown.append(("versions of the code", str(len(state.code.versions)), text))
    if text := confirmed_text(ExperimentDirectory(experiment.directory), state):
        how, _, told = text.partition(": ")
        shown.append((how, told, "by hpo confirm"))
    if text := steering_text(state):
        shown.append(("steered", f"{len(state.steering.marks)} times", text))
    if best is None:
        return tiles(shown)
    pairs = configuration_text(best["configuration"])
    named = f"Best configuration for {objective.metric}:" if objective.aims else "Best configuration:"
    return tiles(shown) + f'<p class="full"><span class="soft">{escaped(named)}</span> {escaped(pairs)}</p>'


def _held_out_tiles(experiment: Experiment) -> list[tuple[str, str, str]]:
    """Return a tile per test metric with its value for the best result."""
    state, best = experiment.state, experiment.state.incumbent
    values = {} if best is None else state.held_out.of(best.trial_id, best.resource)
    remark = "of the same training; not used to choose it"
    return [
        (f"test {name}", f"{values[name]:.6g}" if name in values else "not reported", remark)
        for name in state.objective.test_metrics
    ]


def _device_tiles(experiment: Experiment) -> list[tuple[str, str, str]]:
    """Return a tile with the device hours if they are limited or have a price."""
    config = experiment.config
    if not limits_devices(config):
        return []
    hours = device_hours(config, experiment.state)
    price = price_of(hours, config.device_price)
    return [("device hours", f"{hours:,.3g}", "" if price is None else f"price {price:,.2f}")]


def _front_tile(experiment: Experiment) -> tuple[str, str, str]:
    front = experiment.state.front
    trials = len({point.trial_id for point in front})
    remark = f"hypervolume {front_share(experiment.config, front):.4f}; reports of {trials} trials" if front else ""
    return "front", str(len(front)), remark


def _trials(experiment: Experiment, output: Path) -> PageTable:
    objective, config = experiment.state.objective, experiment.config
    domains = config.space.domains
    further = [aim.metric for aim in objective.aims[1:]]
    paid = limits_devices(config)
    results = 8 + paid + len(further)
    rows: list[list[Any]] = []
    for row in trial_rows(experiment):
        rows.append(
            [
                row.trial,
                row.status,
                row.attempts,
                row.resource,
                row.last,
                row.best,
                row.best_at,
                row.seconds,
                *([row.device_seconds * config.devices_per_trial / 3600] if paid else []),
                *row.further,
                list(_logs(experiment, row.trial, row.attempts - 1, output)),
                *(row.configuration.get(name) for name in domains),
            ]
        )
    resource = objective.resource_attr or "reports"
    columns = [
        PageColumn("trial", number=True),
        PageColumn("status", dots=STATUS_COLOURS),
        PageColumn("attempts", number=True),
        PageColumn(resource, number=True),
        PageColumn(objective.metric, number=True),
        PageColumn(f"best {objective.metric}", number=True),
        PageColumn(f"at {resource}", number=True),
        PageColumn("seconds", number=True),
        *([PageColumn("device hours", number=True)] if paid else []),
        *(PageColumn(metric, number=True) for metric in further),
        PageColumn("logs", links=True),
        *_columns_of(list(domains), [row[results + 1 :] for row in rows]),
    ]
    if not any(row[results] for row in rows):  # no attempt ran here, so there are no logs
        columns = [*columns[:results], *columns[results + 1 :]]
        rows = [[*row[:results], *row[results + 1 :]] for row in rows]
    return PageTable("trials", "All trials", columns, rows, sort=5, down=objective.mode == "max")


def _columns_of(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[PageColumn]:
    """Return a table column for each hyperparameter; columns with only numbers are aligned to the right."""
    numeric = [all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(names))]
    return [PageColumn(name, number=number) for name, number in zip(names, numeric, strict=True)]


def _front(experiment: Experiment) -> list[Part]:
    """Return the table of reports on the Pareto front of a multi-objective experiment; otherwise nothing."""
    state, names = experiment.state, list(experiment.config.space.domains)
    objective = state.objective
    if not state.front:
        return []
    configurations = [state.trials[point.trial_id].trial.configuration for point in state.front]
    settings = [[configuration.get(name) for name in names] for configuration in configurations]
    results = [
        [point.trial_id, point.resource, *objective.values(point.losses).values(), point.elapsed]
        for point in state.front
    ]
    heads = ["trial", objective.resource_attr or "report", *(aim.metric for aim in objective.aims), "after seconds"]
    columns = [*(PageColumn(head, number=True) for head in heads), *_columns_of(names, settings)]
    rows = [[*result, *setting] for result, setting in zip(results, settings, strict=True)]
    down = objective.mode == "max"
    remark = "Noise puts lucky draws on a front: train again what matters, with other seeds, before you believe it."
    return [PageTable("front", "The front", columns, rows, sort=2, down=down), paragraph(remark, "soft")]


def _logs(experiment: Experiment, trial: int, last_attempt: int, output: Path) -> Iterator[list[str]]:
    for attempt in range(last_attempt + 1):
        for name in LOGS:
            path = ExperimentDirectory(experiment.directory).attempt(trial, attempt) / name
            if path.is_file():
                yield [f"{name.partition('.')[0]} {attempt}", link_to(path, output)]


def _failures(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Yield a title and the end of standard error for each failed trial."""
    for event in experiment.events:
        if event.kind == Kind.ENDED and event.body["status"] in (Status.FAILED, Status.TIMEOUT):
            signal, error = event.body.get("signal"), (event.body.get("error") or "").rstrip()
            how = f"signal {signal}" if signal else f"exit code {event.body.get('exit_code')}"
            head = f"trial {event.trial}, attempt {event.attempt}, {event.body['status']} after {event.elapsed:.4g} s ({how})"
            yield f"{head}: {last_line(error) or 'nothing on standard error'}", error or "(nothing on standard error)"


def _failure_parts(failures: list[tuple[str, str]]) -> list[Part]:
    if not failures:
        return []
    parts: list[Part] = [paragraph("The end of standard error of each attempt that failed or took too long.", "soft")]
    parts += [folded(head, text, opened=index == 0) for index, (head, text) in enumerate(failures[:MOST_FAILURES])]
    if len(failures) > MOST_FAILURES:
        parts.append(paragraph(f"{len(failures) - MOST_FAILURES} more are in the table of trials and in hpo.log."))
    return parts


def _stored_text(path: Path) -> str:
    try:
        return read_untrusted(path, MOST_CONFIG).decode(errors="replace")
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror or error}); put the file back") from error


def _provenance(experiment: Experiment) -> list[Part]:
    files = ExperimentDirectory(experiment.directory)
    metadata = {key: value for key, value in experiment.metadata.items() if key != "config_space" and value is not None}
    sessions = [
        f"session {number} from {event.elapsed:.4g} s: " + ", ".join(f"{k}={word(v)}" for k, v in _flat(event.body))
        for number, event in enumerate((e for e in experiment.events if e.kind == Kind.OPENED), 1)
    ]
    notes = [
        f"{event.elapsed:.4g} s: {event.body.get('text', '')}"
        for event in experiment.events
        if event.kind == Kind.NOTED and "devices" not in event.body
    ]
    parts: list[Part] = [
        folded("experiment.yaml: the resolved configuration", _stored_text(files.config)),
        folded("Sessions: who worked on it", "\n".join(sessions) or "none"),
    ]
    if notes:
        parts.append(folded(f"Notes in the log ({len(notes)})", "\n".join(notes)))
    return [*parts, facts(_flat(metadata))]


def _flat(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield names and values, including those inside mappings; of the code's files not every one."""
    for name, value in content.items():
        if not isinstance(value, Mapping):
            yield name, value
        elif name != "sources":
            yield from ((f"{name}.{inner}", item) for inner, item in _flat(value))
