"""A comparison as plain text of at most 100 columns, and as HTML: benchmarks, tables, notes and the verdict."""

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from hpo.analysis.bootstrap import RESAMPLES
from hpo.analysis.comparison_data import ComparisonData
from hpo.analysis.held_out_gap import HeldOutGap
from hpo.analysis.pairwise_comparison import Pair
from hpo.analysis.scores import BenchmarkScores
from hpo.analysis.significance import FLIPS
from hpo.analysis.verdict import target
from hpo.events.text import in_unit_of
from hpo.results.notebook import html_table

WIDTH = 96


@dataclass(frozen=True)
class TextTable:
    """A table of texts, with a title."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """Return the table as plain text."""
        widths = [max(len(row[column]) for row in [self.head, *self.rows]) for column in range(len(self.head))]
        lines = ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in [self.head, *self.rows]]
        return "\n".join([self.title, *lines])

    def html(self) -> str:
        """Return the table as HTML."""
        return html_table(self.head, self.rows, self.title)


def render(comparison: ComparisonData) -> str:
    """Return a comparison as plain text, without a line break at the end."""
    parts = [
        "\n".join(_benchmarks(comparison.scored)),
        *(table.text() for table in _tables(comparison)),
        "\n".join(_notes(comparison)),
        "\n".join(_verdict(comparison)),
    ]
    return "\n\n".join(part for part in parts if part)


def render_html(comparison: ComparisonData) -> str:
    """Return a comparison as HTML for a notebook, the verdict first; no script, no style sheet, all text escaped."""
    parts = [
        _preformatted(_verdict(comparison)),
        *(table.html() for table in _tables(comparison)),
        _preformatted(_benchmarks(comparison.scored)),
        _preformatted(_notes(comparison)),
    ]
    return f"<div>{''.join(parts)}</div>"


def _preformatted(lines: Iterable[str]) -> str:
    return f"<pre>{escape(chr(10).join(lines))}</pre>"


def _tables(comparison: ComparisonData) -> list[TextTable]:
    tables = [_methods(comparison), _speed_ups(comparison), *_pairs(comparison), held_out_table(comparison.held_out)]
    return [table for table in tables if table.rows]


def _benchmarks(scored: Sequence[BenchmarkScores]) -> Iterator[str]:
    longest = max(one.scale.end for one in scored)
    for one in scored:
        objective, scale, block = one.block.objective, one.scale, one.block
        label = f", {block.data_label.upper()} data" if block.data_label else ""
        yield from _wrapped(
            f"{block.benchmark}{label}: {objective.metric} ({objective.mode}), {block.loaded[0].config.n_workers} worker(s), "
            f"{len(block.methods)} methods x {len(block.seeds)} seeds, "
            f"from {in_unit_of(longest, scale.start, block.cost)} to {in_unit_of(longest, scale.end, block.cost)}",
            "",
        )
        if (measure := block.loaded[0].measure) is not None:
            yield from _wrapped(measure.text(), "  ")
            yield from _wrapped(f"regret 0 = {scale.best_is}; 1 = {scale.reference_is}, or no result yet", "  ")
            continue
        yield from _wrapped(
            f"regret 0 = {objective.value(scale.best):.6g}, {scale.best_is}; "
            f"1 = {objective.value(scale.reference):.6g}, {scale.reference_is}, and before the first result",
            "  ",
        )


def _methods(comparison: ComparisonData) -> TextTable:
    rows = [
        (
            one.method,
            _with_interval(one.anytime, one.anytime_low, one.anytime_high),
            f"{one.early:.3f}",
            f"{one.middle:.3f}",
            _with_interval(one.final, one.final_low, one.final_high),
            f"{one.rank_anytime:.2f}",
            f"{one.rank_final:.2f}",
        )
        for one in comparison.summaries
    ]
    scales = [one.scale for one in comparison.scored]
    shares = {f"{scale.start / scale.end:.0%}".replace("%", " %") for scale in scales}
    middles = {f"{scale.middle / scale.end:.0%}".replace("%", " %") for scale in scales}
    early, middle = (
        found.pop() if len(found) == 1 else name for found, name in ((shares, "start"), (middles, "middle"))
    )
    head = ("method", "anytime regret [95 % CI]", f"at {early}", f"at {middle}", "final regret [95 % CI]")
    return TextTable("Normalised regret, IQM over seeds", (*head, "rank", "final rank"), rows)


def _speed_ups(comparison: ComparisonData) -> TextTable:
    several = len(comparison.scored) > 1
    longest = max(one.scale.end for one in comparison.scored)
    costs = {one.block.benchmark: one.block.cost for one in comparison.scored}
    rows = [
        (
            method,
            *((benchmark or "all (geometric mean)",) if several else ()),
            f"{found.ratio:.2f}" if math.isfinite(found.ratio) else "-",
            "-" if math.isnan(found.low) else f"{found.low:.2f} to {found.high:.2f}",
            in_unit_of(longest, found.method_time, costs.get(str(benchmark))),
            in_unit_of(longest, found.baseline_time, costs.get(str(benchmark))),
            f"{found.method_reached:.0%} / {found.baseline_reached:.0%}".replace("%", " %"),
        )
        for method, benchmark, found in comparison.speed_ups
    ]
    base = comparison.baseline
    head = ("method", *(("benchmark",) if several else ()), "speed-up", "95 % CI", "ERT", f"ERT {base}", "reached by")
    return TextTable(f"Time to {target(comparison.scored, base)} (median), method / {base}", head, rows)


def _pairs(comparison: ComparisonData) -> Iterator[TextTable]:
    for score in ("anytime", "final"):
        pairs = [pair for pair in comparison.pairings if pair.score == score]
        generality = any(not math.isnan(pair.across_benchmarks) for pair in pairs)
        head = ("first", "second", "difference [95 % CI]", "P(first)", "Wilcoxon", "sign flip", "more seeds")
        rows = [_pair(pair, generality) for pair in pairs]
        over = ("benchmarks",) if generality else ()
        title = f"Paired differences of {score} regret; below 0 the first is better; p-values are Holm's"
        yield TextTable(title, (*head, *over), rows)


def _pair(pair: Pair, generality: bool) -> tuple[str, ...]:
    low = "none" if math.isnan(pair.low) else f"{pair.low:+.3f}, {pair.high:+.3f}"
    row = (
        pair.first,
        pair.second,
        f"{pair.difference:+.3f} [{low}]",
        f"{pair.probability:.2f}",
        f"{pair.wilcoxon_holm:.4f}",
        f"{pair.sign_flip_holm:.4f}",
        "?" if pair.more_seeds is None else str(pair.more_seeds),
    )
    return (*row, f"{pair.across_benchmarks:.4f}") if generality else row


def held_out_table(gaps: Sequence[HeldOutGap]) -> TextTable:
    """Return the table of test values; it has no rows without test metrics."""
    several = len({gap.benchmark for gap in gaps}) > 1
    rows = [
        (
            *((gap.benchmark,) if several else ()),
            gap.method,
            f"{gap.metric} {gap.value:.6g}",
            f"{gap.test_metric} {_interval_of(gap.test, gap.test_low, gap.test_high)}",
            _interval_of(gap.gap, gap.gap_low, gap.gap_high),
            str(gap.seeds),
        )
        for gap in gaps
    ]
    head = ("method", "chosen by", "test value [95 % CI]", "worse on test by [95 % CI]", "seeds")
    title = "Test values of the best results: shown, never selected on; means over seeds"
    return TextTable(title, (*(("benchmark",) if several else ()), *head), rows)


def _interval_of(value: float, low: float, high: float) -> str:
    return f"{value:.4g} [none]" if math.isnan(low) else f"{value:.4g} [{low:.4g}, {high:.4g}]"


def _notes(comparison: ComparisonData) -> Iterator[str]:
    yield from _wrapped(
        f"More seeds: how many more show a difference of {comparison.delta:g} with a power of 80 %. Intervals: studentised "
        f"paired bootstrap, {RESAMPLES} resamples; sign flips: exact, or {FLIPS} drawn; random seed "
        f"{comparison.random_seed}.",
        "",
    )
    for warning in comparison.warnings:
        yield from _wrapped(f"Note: {warning}.", "")


def _verdict(comparison: ComparisonData) -> Iterator[str]:
    first, *others = comparison.sentences
    yield f"Verdict, {first}"
    for sentence in others:
        yield from _wrapped(sentence, "  ")


def _wrapped(text: str, indent: str) -> Iterable[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _with_interval(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [none]" if math.isnan(low) else f"{value:.3f} [{low:.3f}, {high:.3f}]"
