"""Figures of a comparison. Each takes a comparison and axes, draws, and returns the axes."""

from typing import TYPE_CHECKING

from hpo.analysis.comparison import Comparison
from hpo.analysis.overtime import over_time
from hpo.analysis.scores import Scored
from hpo.errors import ConfigError
from hpo.figures.style import ACCENT, LINES, NEUTRAL, colour_of, dash_of, on_axes, seconds_scale, with_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@on_axes()
def regret(comparison: Comparison, ax: "Axes", benchmark: str | None = None) -> None:
    """Normalised regret over time with pointwise 95 % intervals, one line per method."""
    scored = _scored(comparison, benchmark)
    found = over_time(scored, comparison.random_seed)
    unit, name = seconds_scale(scored.scale.end)
    for index, method in enumerate(scored.block.methods):
        ax.fill_between(
            found.times / unit, found.low[index], found.high[index], color=colour_of(index), alpha=0.13, lw=0
        )
        ax.plot(found.times / unit, found.regret[index], color=colour_of(index), ls=LINES[dash_of(index)], label=method)
    _time_axis(ax, name)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("normalised regret")
    ax.set_title(_title(scored, "Regret over time"))
    ax.legend()


@on_axes()
def ranks(comparison: Comparison, ax: "Axes", benchmark: str | None = None) -> None:
    """Mean rank over seeds of each method over time."""
    scored = _scored(comparison, benchmark)
    found = over_time(scored, comparison.random_seed)
    unit, name = seconds_scale(scored.scale.end)
    for index, method in enumerate(scored.block.methods):
        ax.plot(found.times / unit, found.rank[index], color=colour_of(index), ls=LINES[dash_of(index)], label=method)
    _time_axis(ax, name)
    ax.invert_yaxis()
    ax.set_ylabel("mean rank, 1 is best")
    ax.set_title(_title(scored, "Ranks over time"))
    ax.legend()


@on_axes()
def seeds(comparison: Comparison, ax: "Axes", benchmark: str | None = None) -> None:
    """Each seed's score under each method; a line joins those of one seed."""
    scored = _scored(comparison, benchmark)
    values = scored.anytime if comparison.score == "anytime" else scored.final
    places = range(len(scored.block.methods))
    ax.plot(places, values, color=NEUTRAL, lw=0.6, alpha=0.6, zorder=1)
    for place in places:
        ax.scatter([place] * values.shape[1], values[place], color=colour_of(place), s=18, zorder=2)
    ax.set_xticks(places, list(scored.block.methods))
    ax.set_xlim(-0.5, len(places) - 0.5)
    ax.set_ylim(bottom=0)
    ax.set_ylabel(f"{comparison.score} regret")
    ax.set_title(_title(scored, "Methods and seeds"))


@on_axes()
def differences(comparison: Comparison, ax: "Axes") -> None:
    """All paired differences with their 95 % intervals, over all benchmarks; filled where methods are told apart."""
    pairs = [pair for pair in comparison.pairings if pair.score == comparison.score]
    for place, pair in enumerate(pairs):
        colour = ACCENT if pair.distinct else NEUTRAL
        ax.plot([pair.low, pair.high], [place, place], color=colour, lw=1.4)
        ax.plot(pair.difference, place, "o", color=colour, mfc=colour if pair.distinct else "white", ms=6)
    ax.axvline(0, color="#4A4F57", lw=0.8)
    ax.set_yticks(range(len(pairs)), [f"{pair.first} − {pair.second}" for pair in pairs])
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set_xlabel(f"difference of {comparison.score} regret, below 0 the first is better")
    labels = sorted({one.block.data_label for one in comparison.scored if one.block.data_label})
    ax.set_title(with_label("Paired differences", ", ".join(labels) or None))


def _scored(comparison: Comparison, benchmark: str | None) -> Scored:
    known = {scored.block.benchmark: scored for scored in comparison.scored}
    if benchmark is None:
        return comparison.scored[0]
    if benchmark not in known:
        raise ConfigError(f"benchmark={benchmark}: compared are {', '.join(known)}; choose one of them")
    return known[benchmark]


def _time_axis(ax: "Axes", unit: str) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(f"elapsed time, {unit}")


def _title(scored: Scored, what: str) -> str:
    return with_label(f"{what}: {scored.block.benchmark}", scored.block.data_label)
