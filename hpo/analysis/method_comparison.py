"""The function `compare`: from directories of experiments to scores, pairwise comparisons and a verdict."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from hpo.analysis.bootstrap import aggregate, draw, interval
from hpo.analysis.comparison import Comparison
from hpo.analysis.comparison_data import Summary
from hpo.analysis.experiment_selection import arrange
from hpo.analysis.held_out_gap import held_out_gaps
from hpo.analysis.loading import Loaded, load_runs
from hpo.analysis.pairwise_comparison import compare_pairs
from hpo.analysis.scores import SCORES, BenchmarkScores, score_block
from hpo.analysis.speedup import SpeedUp, Times, speed_up
from hpo.analysis.verdict import verdict
from hpo.errors import ConfigError


def compare(
    paths: str | Path | Iterable[str | Path],
    *,
    baseline: str | None = None,
    metric_budget: tuple[float | None, float | None] = (None, None),
    score: str = "anytime",
    delta: float = 0.03,
    include_incomplete: bool = False,
    include_steered: bool = False,
    unpaired: bool = False,
    random_seed: int = 0,
    loaded: Loaded | None = None,
) -> Comparison:
    """Compare the methods of several experiments.

    Args:
        paths: Directories of experiments, or tags under outputs/.
        baseline: Method that the others are compared with; None: RS if it is present, else the first by name.
        metric_budget: Start and end of the compared range in elapsed seconds; None: a tenth of the end, and the longest time
            that all experiments reached.
        score: Score that the verdict is based on: `anytime` (mean normalised regret over log time) or `final`.
        delta: Difference of normalised regret that the number of seeds is planned for.
        include_incomplete: Include experiments that have not finished, as far as they got.
        include_steered: Include experiments in which a user stopped trials or that a user held.
        unpaired: Accept methods that ran with different random_seeds.
        random_seed: Seed of the bootstrap and the sign flips; the same data and seed give the same numbers.
        loaded: Result of `load_runs` for these paths, which saves reading them again.

    Raises:
        ConfigError: There is nothing to compare, or the comparison would not be fair; the message says what to do.
        StoreError: A path holds no experiment, or one is damaged.
    """
    if score not in SCORES:
        raise ConfigError(f"score={score}: use {' or '.join(SCORES)}")
    if not 0 < delta <= 1:
        raise ConfigError(f"delta={delta:g}: it is a difference of normalised regret, above 0 and at most 1")
    if random_seed < 0:
        raise ConfigError(f"random_seed={random_seed}: use zero or a positive number")
    runs, warnings = loaded or load_runs([paths] if isinstance(paths, str | Path) else paths)
    blocks, more = arrange(
        runs, include_incomplete=include_incomplete, include_steered=include_steered, unpaired=unpaired
    )
    names = list(blocks[0].methods)
    if baseline is None:
        baseline = "RS" if "RS" in names else names[0]
    if baseline not in names:
        raise ConfigError(f"baseline={baseline}: the methods here are {', '.join(names)}; choose one of them")
    scored = [score_block(block, baseline, *metric_budget) for block in blocks]
    indices = draw([(block.benchmark, len(block.seeds)) for block in blocks], random_seed)
    summaries = sorted((_summary(scored, name, indices) for name in names), key=lambda s: (getattr(s, score), s.method))
    order = [summary.method for summary in summaries if summary.method != baseline] + [baseline]
    pairs = {name: compare_pairs(scored, order, name, indices, delta, random_seed) for name in SCORES}
    speed_ups = [found for name in order[:-1] for found in _speed_ups(scored, name, baseline)]
    overall = {name: found for name, benchmark, found in speed_ups if benchmark is None or len(scored) == 1}
    return Comparison(
        scored=scored,
        summaries=summaries,
        pairings=[pair for name in SCORES for pair in pairs[name]],
        speed_ups=speed_ups,
        held_out=held_out_gaps(run for block in blocks for run in block.runs.values()),
        warnings=[*warnings, *more, *_uneven(scored)],
        baseline=baseline,
        score=score,
        delta=delta,
        random_seed=random_seed,
        sentences=verdict(scored, pairs[score], overall, baseline, summaries[0].method, delta),
    )


def _uneven(scored: Sequence[BenchmarkScores]) -> list[str]:
    warnings = []
    for one in scored:
        ends = [min(run.end, run.limit or math.inf) for run in one.block.runs.values()]
        if silent := int(np.isinf(one.final_loss).sum()):
            warnings.append(
                f"{one.block.benchmark}: {silent} of {len(ends)} experiments have no result by "
                f"{one.moment(one.scale.end)}; their regret is 1"
            )
        if max(ends) > 1.2 * min(ends):
            warnings.append(
                f"{one.block.benchmark}: experiments ended after {min(ends):.3g} to {one.moment(max(ends), 3)}, and are "
                f"compared up to {one.moment(one.scale.end, 3)}; a budget of "
                f"{'max_wallclock_time' if one.block.cost is None else 'max_cost'} alone would use all of them"
            )
        if one.scale.reference <= one.scale.best:
            warnings.append(f"{one.block.benchmark}: the reference is as good as the best, so regret is 0 or 1 only")
    return warnings


def _summary(scored: Sequence[BenchmarkScores], method: str, indices: Sequence[np.ndarray]) -> Summary:
    strata = {name: [one.of(method, name) for one in scored] for name in ("anytime", "early", "middle", "final")}
    rows = [(one, one.block.methods.index(method)) for one in scored]
    ranks = {f"rank_{score}": np.concatenate([one.ranks(score)[row] for one, row in rows]) for score in SCORES}
    limits: dict[str, float] = {}
    for score in SCORES:
        low, high = interval(strata[score], indices)
        limits |= {f"{score}_low": max(low, 0.0), f"{score}_high": min(high, 1.0)}
    return Summary(
        method=method,
        **{name: aggregate(values) for name, values in strata.items()},
        **{name: float(np.mean(values)) for name, values in ranks.items()},
        **limits,
    )


def _speed_ups(scored: Sequence[BenchmarkScores], method: str, baseline: str) -> list[tuple[str, str | None, SpeedUp]]:
    strata = {
        one.block.benchmark: Times(one.of(method, "time_to_target"), one.of(baseline, "time_to_target"), one.scale.end)
        for one in scored
    }
    overall = [(method, None, speed_up(list(strata.values())))] if len(scored) > 1 else []
    return [*((method, benchmark, speed_up([times])) for benchmark, times in strata.items()), *overall]
