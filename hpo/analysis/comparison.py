"""A comparison of methods: what came out, as tables, as text and for programs."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hpo.analysis import rows
from hpo.analysis.data import Compared
from hpo.analysis.text import render, render_html

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Comparison(Compared):
    """What some experiments say about their methods. `print(comparison.text())` is what `hpo compare` shows."""

    @property
    def verdict(self) -> str:
        """The verdict as one text."""
        return "\n".join(self.sentences)

    @cached_property
    def scores(self) -> "pd.DataFrame":
        """One row per experiment: benchmark, method, seed, value and regret at the common budget, ranks, times."""
        return _frame(rows.score_rows(self.scored))

    @cached_property
    def trajectories(self) -> "pd.DataFrame":
        """One row per improvement: benchmark, method, seed, elapsed seconds, the metric and its regret from then on."""
        return _frame(rows.trajectory_rows(self.scored))

    @cached_property
    def methods(self) -> "pd.DataFrame":
        """One row per method, the attributes of `Summary`."""
        return _frame(self.summaries)

    @cached_property
    def pairs(self) -> "pd.DataFrame":
        """One row per score and pair of methods, the attributes of `Pair`."""
        return _frame(rows.pair_rows(self.pairings))

    @cached_property
    def speedups(self) -> "pd.DataFrame":
        """One row per method and benchmark, and per method over all benchmarks (benchmark None)."""
        return _frame(rows.speed_up_rows(self.speed_ups, self.baseline))

    def text(self) -> str:
        """All of it as plain text of at most 100 columns."""
        return render(self)

    def _repr_html_(self) -> str:
        return render_html(self)

    def to_dict(self) -> dict[str, Any]:
        """All of it for programs: numbers, texts and None, as `hpo compare --json` prints it."""
        return rows.content(self)


def _frame(found: Iterable[Any]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(found)
