"""The result of a comparison of methods, as data frames, as text and as a dictionary."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hpo.analysis import comparison_tables
from hpo.analysis.comparison_data import ComparisonData
from hpo.analysis.text import render, render_html

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Comparison(ComparisonData):
    """The result of a comparison of methods. `print(comparison.text())` prints what `hpo compare` shows."""

    @property
    def verdict(self) -> str:
        """The verdict of the comparison as one text."""
        return "\n".join(self.sentences)

    @cached_property
    def scores(self) -> "pd.DataFrame":
        """Data frame with one row per experiment: benchmark, method, seed, value and regret at the budget, ranks, times."""
        return _frame(comparison_tables.score_rows(self.scored))

    @cached_property
    def trajectories(self) -> "pd.DataFrame":
        """Data frame with one row per improvement: benchmark, method, seed, elapsed seconds, metric and regret from then."""
        return _frame(comparison_tables.trajectory_rows(self.scored))

    @cached_property
    def methods(self) -> "pd.DataFrame":
        """Data frame with one row per method; the columns are the attributes of `Summary`."""
        return _frame(self.summaries)

    @cached_property
    def pairs(self) -> "pd.DataFrame":
        """Data frame with one row per score and pair of methods; the columns are the attributes of `Pair`."""
        return _frame(comparison_tables.pair_rows(self.pairings))

    @cached_property
    def speedups(self) -> "pd.DataFrame":
        """Data frame of speed-ups: one row per method and benchmark, and one per method over all benchmarks (None)."""
        return _frame(comparison_tables.speed_up_rows(self.speed_ups, self.baseline))

    def text(self) -> str:
        """Return the whole comparison as plain text of at most 100 columns."""
        return render(self)

    def _repr_html_(self) -> str:
        return render_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole comparison as a dictionary of numbers, texts and None, as `hpo compare --json` prints it."""
        return comparison_tables.content(self)


def _frame(found: Iterable[Any]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(found)
