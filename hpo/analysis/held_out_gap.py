"""Test values of what the methods chose, and the gap to the values by which they chose it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from hpo.analysis.bootstrap import LEVEL
from hpo.analysis.loading import LoadedExperiment


@dataclass(frozen=True, slots=True)
class HeldOutGap:
    """The mean test value over the seeds of a method, with 95 % intervals that treat seeds as independent.

    Each experiment counts with its best result at its end.
    """

    benchmark: str
    method: str
    metric: str
    """Metric by which the results were chosen."""
    test_metric: str
    seeds: int
    """Number of experiments that have both values."""
    value: float
    """Mean of the metric."""
    test: float
    test_low: float
    test_high: float
    gap: float
    """Mean of how much worse the test value is than the metric; below 0 if it is better."""
    gap_low: float
    gap_high: float


def held_out_gaps(runs: Iterable[LoadedExperiment]) -> list[HeldOutGap]:
    """Return the gaps of all experiments that name a test metric, by benchmark, method and test metric."""

    def place(run: LoadedExperiment) -> tuple[str, str]:
        return run.benchmark, run.label

    found = []
    for (benchmark, method), group in groupby(sorted(runs, key=place), key=place):
        members = [run for run in group if run.best_value is not None]
        names = dict.fromkeys(name for run in members for name in run.config.objective.test_metrics)
        for name in names:
            known = [run for run in members if math.isfinite(run.test_values.get(name, math.nan))]
            if known:
                found.append(_gap(benchmark, method, name, known))
    return found


def _gap(benchmark: str, method: str, name: str, runs: Sequence[LoadedExperiment]) -> HeldOutGap:
    objective = runs[0].config.objective
    sign = -1 if objective.mode == "max" else 1
    values = [float(run.best_value or 0.0) for run in runs]
    tests = [run.test_values[name] for run in runs]
    test, test_low, test_high = _mean(tests)
    gap, gap_low, gap_high = _mean([sign * (test - value) for test, value in zip(tests, values, strict=True)])
    return HeldOutGap(
        benchmark=benchmark,
        method=method,
        metric=objective.metric,
        test_metric=name,
        seeds=len(runs),
        value=_mean(values)[0],
        test=test,
        test_low=test_low,
        test_high=test_high,
        gap=gap,
        gap_low=gap_low,
        gap_high=gap_high,
    )


def _mean(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean with Student's interval; its ends are NaN for a single value."""
    import numpy as np

    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, math.nan, math.nan
    from scipy.stats import t as student

    reach = float(student.ppf((1 + LEVEL) / 2, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return mean, mean - reach, mean + reach
