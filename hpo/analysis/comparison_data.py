"""The data of a comparison: benchmarks, methods, pairs, speed-ups, warnings and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass

from hpo.analysis.held_out_gap import HeldOutGap
from hpo.analysis.pairwise_comparison import Pair
from hpo.analysis.scores import BenchmarkScores
from hpo.analysis.speedup import SpeedUp


@dataclass(frozen=True, slots=True)
class Summary:
    """The scores of one method over all benchmarks and seeds. Regrets are IQMs over seeds, averaged over benchmarks."""

    method: str
    anytime: float
    anytime_low: float
    anytime_high: float
    early: float
    """Regret at the time where the anytime score begins; `middle` is half way in log time, `final` at the common budget."""
    middle: float
    final: float
    final_low: float
    final_high: float
    rank_anytime: float
    """Mean rank over (benchmark, seed) pairs; 1 is best."""
    rank_final: float


@dataclass(frozen=True, eq=False)
class ComparisonData:
    """The compared experiments and their statistics: the fields of a `Comparison`."""

    scored: Sequence[BenchmarkScores]
    """Scores, one element per benchmark."""
    summaries: Sequence[Summary]
    """Scores aggregated over benchmarks, one element per method, the best method by `score` first."""
    pairings: Sequence[Pair]
    """Pairwise comparisons of all methods, for both scores."""
    speed_ups: Sequence[tuple[str, str | None, SpeedUp]]
    """Tuples (method, benchmark, speed-up over the baseline); benchmark None: all benchmarks together."""
    held_out: Sequence[HeldOutGap]
    """Test values of what was chosen, by benchmark, method and test metric; empty without test metrics."""
    warnings: Sequence[str]
    """Warnings about experiments that were left out and about unequal conditions."""
    baseline: str
    score: str
    delta: float
    random_seed: int
    sentences: Sequence[str]
    """Sentences of the verdict."""
