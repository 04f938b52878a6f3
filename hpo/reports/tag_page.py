"""The report of a tag: the comparison of its methods, and the state of each experiment."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hpo.analysis.comparison import Comparison
from hpo.analysis.held_out_gap import HeldOutGap, held_out_gaps
from hpo.analysis.loading import LoadedExperiment
from hpo.analysis.regret_over_time import over_time
from hpo.events.text import days_text
from hpo.figures import method_charts, pareto_charts
from hpo.figures.chart import Chart
from hpo.figures.style import data_label
from hpo.history.conditions import unfinished_condition
from hpo.reports.page import PageColumn, PageTable, Part, Section, escaped, link_to, paragraph, render, tiles
from hpo.store.directory import ExperimentDirectory

NAME = "report.html"
TIMES = ("creation", "end")


def tag_page(
    title: str, runs: Sequence[LoadedExperiment], warnings: Sequence[str], comparison: Comparison | str, output: Path
) -> str:
    """Return the report of a tag as HTML.

    Args:
        title: Name of the tag or directory.
        runs: All experiments that have events here.
        warnings: Sentences about experiments that have none.
        comparison: Result of `compare`, or a sentence that says why there is none.
        output: File that the report will be written to; links are relative to it.
    """
    label = ", ".join(sorted({text for run in runs if (text := data_label(run.metadata))}))
    began, ended = ([time for run in runs if (time := run.metadata.get(f"st_tuner_{key}_timestamp"))] for key in TIMES)
    when = days_text(min(began, default=None), max(ended) if len(ended) == len(runs) else None)
    subtitle = " · ".join(filter(None, (f"{len(runs)} experiments", label and f"{label} data", when)))
    if isinstance(comparison, str):
        head = [paragraph(f"Methods are not compared: {comparison}.", "warn")]
        sections = []
    else:
        head = [_verdict(comparison)]
        warnings = comparison.warnings
        sections = [
            Section("methods", "Methods", methods_of(comparison)),
            Section("pairs", "Pairs", pairs_of(comparison)),
        ]
    notes = [paragraph(f"Note: {warning}.", "warn") for warning in warnings]
    parts: list[Part] = [*curves_of_runs(runs), *held_out_of(held_out_gaps(runs)), _experiments(runs, output)]
    sections.append(Section("experiments", "Experiments", parts))
    return render(title, subtitle, [_headline(runs), *head, *notes], sections)


def _headline(runs: Sequence[LoadedExperiment]) -> str:
    return tiles(
        [
            ("experiments", str(len(runs)), f"{sum(run.status == 'complete' for run in runs)} complete"),
            ("benchmarks", str(len({run.benchmark for run in runs})), ""),
            ("methods", str(len({run.label for run in runs})), ""),
            ("seeds", str(len({run.seed for run in runs})), ""),
            ("trials", f"{sum(len(run.trial_losses) for run in runs):,}", ""),
        ]
    )


def _verdict(comparison: Comparison) -> str:
    first, *others = comparison.sentences
    lines = "".join(paragraph(sentence) for sentence in others)
    return f'<div class="verdict"><p><strong>Verdict, {escaped(first)}</strong></p>{lines}</div>'


def methods_of(comparison: Comparison) -> list[Part]:
    """Return the figures and the table of the methods' scores."""
    charts: list[Chart] = []
    for number, scored in enumerate(comparison.scored):
        found = over_time(scored, comparison.random_seed)
        charts += [method_charts.regret(number, scored, found), method_charts.ranks(number, scored, found)]
        charts.append(method_charts.seeds(number, scored, comparison))
    heads = {
        "anytime": "anytime regret",
        "anytime_low": "low",
        "anytime_high": "high",
        "early": "at start",
        "middle": "half way",
        "final": "final regret",
        "final_low": "low",
        "final_high": "high",
        "rank_anytime": "mean rank",
        "rank_final": "final rank",
    }
    columns = [PageColumn("method"), *(PageColumn(head, number=True) for head in heads.values())]
    rows = [[summary.method, *(getattr(summary, name) for name in heads)] for summary in comparison.summaries]
    return [
        *charts,
        PageTable("methods", "Normalised regret: IQM over seeds with 95 % intervals, best first", columns, rows),
    ]


def pairs_of(comparison: Comparison) -> list[Part]:
    """Return the figures and tables of the differences between methods."""
    heads = {
        "difference": "difference",
        "low": "low",
        "high": "high",
        "probability": "P(first)",
        "wilcoxon_holm": "Wilcoxon",
        "sign_flip_holm": "sign flip",
        "more_seeds": "more seeds",
    }
    columns = [
        PageColumn("score"),
        PageColumn("first"),
        PageColumn("second"),
        *(PageColumn(head, number=True) for head in heads.values()),
        PageColumn("told apart"),
    ]
    rows: list[list[Any]] = [
        [pair.score, pair.first, pair.second, *(getattr(pair, key) for key in heads), "yes" if pair.distinct else "no"]
        for pair in comparison.pairings
    ]
    speed = [
        [method, benchmark or "all", f.ratio, f.low, f.high, f.method_time, f.baseline_time, f.method_reached]
        for method, benchmark, f in comparison.speed_ups
    ]
    unit = "s" if (cost := comparison.scored[0].block.cost) is None else cost
    ert = (f"ERT, {unit}", f"ERT of {comparison.baseline}, {unit}", "share of seeds that reach it")
    speeds = [
        PageColumn("method"),
        PageColumn("benchmark"),
        *(PageColumn(head, number=True) for head in ("speed-up", "low", "high", *ert)),
    ]
    title = f"Time to the median final value of {comparison.baseline}: how many times sooner"
    return [
        method_charts.differences(comparison),
        PageTable("pairs", "Paired differences of regret; p-values are Holm's", columns, rows),
        PageTable("speedups", title, speeds, speed),
    ]


def held_out_of(gaps: Sequence[HeldOutGap]) -> list[PageTable]:
    """Return the table of test values; none without test metrics."""
    heads = {
        "seeds": "seeds",
        "value": "chosen by (mean)",
        "test": "test value",
        "test_low": "low",
        "test_high": "high",
        "gap": "worse on test by",
        "gap_low": "low",
        "gap_high": "high",
    }
    texts = ("benchmark", "method", "metric", "test_metric")
    columns = [PageColumn(name.replace("_", " ")) for name in texts]
    columns += [PageColumn(head, number=True) for head in heads.values()]
    rows = [[getattr(gap, name) for name in (*texts, *heads)] for gap in gaps]
    title = "Test values of the best results: shown, never selected on; means over seeds with 95 % intervals"
    return [PageTable("held-out", title, columns, rows)] if rows else []


def curves_of_runs(runs: Sequence[LoadedExperiment]) -> list[Chart]:
    """Return a chart per benchmark with each experiment's best result so far."""
    charts = []
    ordered = sorted(runs, key=lambda run: (run.benchmark, run.label, run.seed))
    for number, (benchmark, group) in enumerate(itertools.groupby(ordered, key=lambda run: run.benchmark)):
        found = list(group)
        charts.append(method_charts.runs(number, benchmark, found, data_label(found[0].metadata)))
        if found[0].measure is not None:
            charts.append(pareto_charts.attained(number, benchmark, found, data_label(found[0].metadata)))
    return charts


def _experiments(runs: Sequence[LoadedExperiment], output: Path) -> PageTable:
    measured = all(run.measure is not None for run in runs)
    heads = (
        "seed",
        "hypervolume regret" if measured else "best",
        "trials",
        "reports",
        "seconds" if runs[0].cost is None else runs[0].cost,
    )
    columns = [PageColumn("benchmark"), PageColumn("method"), *(PageColumn(head, number=True) for head in heads)]
    columns += [PageColumn("state"), PageColumn("open", links=True)]
    rows: list[list[Any]] = []
    for run in runs:
        losses = run.trajectory.losses
        best = run.objective.value(float(losses[-1])) if len(losses) else math.nan
        rows.append(
            [
                run.benchmark,
                run.label,
                run.seed,
                best,
                len(run.trial_losses),
                run.reports,
                run.end,
                run.status if run.finished else _condition(run),
                [_link(run.directory, output)],
            ]
        )
    return PageTable("experiments", "Experiments", columns, rows)


def _condition(run: LoadedExperiment) -> str:
    host = run.metadata.get("host")
    return unfinished_condition(ExperimentDirectory(run.directory), host=host, has_events=run.end > 0).name


def _link(directory: Path, output: Path) -> list[str]:
    """Return label and target of a link to an experiment's own report, or to its folder if it has none."""
    if (directory / NAME).is_file():
        return ["report", link_to(directory / NAME, output)]
    return ["folder", f"{link_to(directory, output)}/"]
