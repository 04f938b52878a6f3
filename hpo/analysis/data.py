"""What a comparison consists of, as data: benchmarks, methods, pairs, speed-ups, warnings and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass

from hpo.analysis.pairs import Pair
from hpo.analysis.scores import Scored
from hpo.analysis.speedup import SpeedUp


@dataclass(frozen=True, slots=True)
class Summary:
    """One method over all benchmarks and seeds. Regrets are IQMs over seeds, averaged over benchmarks."""

    method: str
    anytime: float
    anytime_low: float
    anytime_high: float
    early: float
    """Regret where the anytime score begins, half way in log time, and at the common budget."""
    middle: float
    final: float
    final_low: float
    final_high: float
    rank_anytime: float
    """Mean rank over (benchmark, seed), 1 is best."""
    rank_final: float


@dataclass(frozen=True, eq=False)
class Compared:
    """Experiments, compared: the fields of a `Comparison`."""

    scored: Sequence[Scored]
    """The benchmarks."""
    summaries: Sequence[Summary]
    """The methods, best first by `score`."""
    pairings: Sequence[Pair]
    """All pairs of methods, for both scores."""
    speed_ups: Sequence[tuple[str, str | None, SpeedUp]]
    """(method, benchmark, against the baseline); benchmark None: all of them."""
    warnings: Sequence[str]
    """What is left out, and what makes the comparison less than equal."""
    baseline: str
    score: str
    delta: float
    random_seed: int
    sentences: Sequence[str]
    """The verdict, sentence by sentence."""
