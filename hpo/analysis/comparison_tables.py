"""A comparison as rows for tables and as JSON content. Metric values are in the metric's own unit and sign."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

from hpo.analysis.bootstrap import LEVEL, RESAMPLES
from hpo.analysis.comparison_data import ComparisonData
from hpo.analysis.pairwise_comparison import Pair
from hpo.analysis.scores import BenchmarkScores
from hpo.analysis.significance import FLIPS
from hpo.analysis.speedup import SpeedUp

SCHEMA = 1
"""Version of the JSON content, raised when a key is removed or changes its meaning."""


def score_rows(scored: Sequence[BenchmarkScores]) -> Iterator[dict[str, Any]]:
    """Yield one row of scores per experiment."""
    for one in scored:
        objective = one.block.objective
        anytime_ranks, final_ranks = one.ranks("anytime"), one.ranks("final")
        for i, method in enumerate(one.block.methods):
            for j, seed in enumerate(one.block.seeds):
                run, loss = one.block.runs[method, seed], float(one.final_loss[i, j])
                yield {
                    "benchmark": one.block.benchmark,
                    "method": method,
                    "seed": seed,
                    "value": objective.value(loss) if math.isfinite(loss) else math.nan,
                    "anytime": float(one.anytime[i, j]),
                    "early": float(one.early[i, j]),
                    "middle": float(one.middle[i, j]),
                    "final": float(one.final[i, j]),
                    "rank_anytime": float(anytime_ranks[i, j]),
                    "rank_final": float(final_ranks[i, j]),
                    "time_to_target": float(one.time_to_target[i, j]),
                    "trials": len(run.trial_losses),
                    "reports": run.reports,
                    "seconds": run.end,
                    "directory": str(run.directory),
                }


def trajectory_rows(scored: Sequence[BenchmarkScores]) -> Iterator[dict[str, Any]]:
    """Yield one row per improvement of each experiment, including results after the common budget."""
    for one in scored:
        for (method, seed), run in one.block.runs.items():
            losses = run.trajectory.losses
            regrets = one.scale.regret(losses)
            for elapsed, loss, regret in zip(run.trajectory.times, losses, regrets, strict=True):
                yield {
                    "benchmark": one.block.benchmark,
                    "method": method,
                    "seed": seed,
                    "elapsed": float(elapsed),
                    "value": one.block.objective.value(float(loss)),
                    "regret": float(regret),
                }


def pair_rows(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Return one row per score and pair of methods."""
    return [{**dataclasses.asdict(pair), "distinct": pair.distinct} for pair in pairs]


def speed_up_rows(found: Sequence[tuple[str, str | None, SpeedUp]], baseline: str) -> list[dict[str, Any]]:
    """Return one row per method and benchmark; benchmark None stands for all benchmarks together."""
    return [
        {"method": method, "baseline": baseline, "benchmark": benchmark, **dataclasses.asdict(speed)}
        for method, benchmark, speed in found
    ]


def benchmark_rows(scored: Sequence[BenchmarkScores]) -> Iterator[dict[str, Any]]:
    """Yield one row per benchmark with what is needed to interpret its scores: metric, budget, best and reference values."""
    for one in scored:
        objective, scale = one.block.objective, one.scale
        yield {
            "benchmark": one.block.benchmark,
            "metric": objective.metric,
            "mode": objective.mode,
            **_measured(one),
            "n_workers": one.block.loaded[0].config.n_workers,
            **({} if one.block.cost is None else {"cost_attr": one.block.cost}),
            "data_label": one.block.data_label,
            "seeds": list(one.block.seeds),
            "budget_from": scale.start,
            "budget_to": scale.end,
            "y_best": objective.value(scale.best),
            "y_best_is": scale.best_is,
            "y_ref": objective.value(scale.reference),
            "y_ref_is": scale.reference_is,
            "target": objective.value(one.target),
        }


def _measured(one: BenchmarkScores) -> dict[str, Any]:
    """Return the objectives and the hypervolume's reference point of a multi-objective benchmark; empty for one objective."""
    measure = one.block.loaded[0].measure
    if measure is None:
        return {}
    return {
        "objectives": {aim.metric: aim.mode for aim in measure.objective.aims},
        "reference_point": dict(measure.reference),
    }


def content(comparison: ComparisonData) -> dict[str, Any]:
    """Return a whole comparison as plain numbers, texts, lists and dictionaries; None for undefined or infinite values."""
    plain: dict[str, Any] = _plain(
        {
            "schema": SCHEMA,
            "baseline": comparison.baseline,
            "score": comparison.score,
            "delta": comparison.delta,
            "level": LEVEL,
            "resamples": RESAMPLES,
            "sign_flips": FLIPS,
            "random_seed": comparison.random_seed,
            "benchmarks": list(benchmark_rows(comparison.scored)),
            "methods": [dataclasses.asdict(summary) for summary in comparison.summaries],
            "pairs": pair_rows(comparison.pairings),
            "speedups": speed_up_rows(comparison.speed_ups, comparison.baseline),
            "held_out": [dataclasses.asdict(gap) for gap in comparison.held_out],
            "scores": list(score_rows(comparison.scored)),
            "trajectories": list(trajectory_rows(comparison.scored)),
            "warnings": list(comparison.warnings),
            "verdict": list(comparison.sentences),
        }
    )
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
