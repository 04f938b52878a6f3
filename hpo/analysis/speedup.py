"""The speed-up of a method over the baseline: the ratio of expected running times to the baseline's final value.

The expected running time (ERT) of a target is the time that all runs spent until they reached it, or until the budget
ended, divided by the number of runs that reached it (Hansen et al., "COCO: Performance Assessment", 2016, section 4). All
seeds share one target, the median of the baseline's final values: with a target per seed the baseline would always reach
its own, and every other method would be penalised.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.surrogate.arrays import Floats

LEAST_REACHED = 2
"""Number of runs of either method on each benchmark that must reach the target before an interval is given."""


@dataclass(frozen=True, eq=False, slots=True)
class Times:
    """Seconds to the target of a method and of the baseline on one benchmark, paired by seed; +inf if not by `end`."""

    method: Floats
    baseline: Floats
    end: float


@dataclass(frozen=True, slots=True)
class SpeedUp:
    """The expected running time (ERT) of the baseline divided by that of the method.

    Above 1 the method is faster; nan if neither reached the target.
    """

    ratio: float
    low: float
    high: float
    method_time: float
    """Expected running time in seconds; nan for several benchmarks."""
    baseline_time: float
    method_reached: float
    """Share of the runs that reached the target."""
    baseline_reached: float


def expected_running_time(times: Floats, end: float) -> float:
    """Return the expected running time in seconds; +inf if no run reached the target."""
    reached = int(np.isfinite(times).sum())
    return float(np.minimum(times, end).sum()) / reached if reached else math.inf


def speed_up(strata: Sequence[Times], level: float = 0.95) -> SpeedUp:
    """Return the speed-up of a method over the baseline, with its confidence interval.

    Over several benchmarks it is the geometric mean. The interval is Student's on the log scale, with the delta
    method's standard error of a ratio of means; seeds are paired, so effects that both methods share cancel.
    """
    logs = [_log_ratio(times) for times in strata]
    mean = math.nan if math.inf in logs and -math.inf in logs else sum(logs) / len(logs)
    error = math.sqrt(sum(_variance(times) for times in strata)) / len(strata)
    freedom = sum(len(times.method) - 1 for times in strata)
    low = high = math.nan
    if math.isfinite(mean) and math.isfinite(error) and freedom > 0:
        from scipy.stats import t as student

        reach = float(student.ppf((1 + level) / 2, freedom)) * error
        low, high = math.exp(mean - reach), math.exp(mean + reach)
    single = strata[0] if len(strata) == 1 else None
    return SpeedUp(
        ratio=math.inf if mean == math.inf else math.exp(mean),
        low=low,
        high=high,
        method_time=expected_running_time(single.method, single.end) if single else math.nan,
        baseline_time=expected_running_time(single.baseline, single.end) if single else math.nan,
        method_reached=float(np.mean([np.isfinite(times.method).mean() for times in strata])),
        baseline_reached=float(np.mean([np.isfinite(times.baseline).mean() for times in strata])),
    )


def _log_ratio(times: Times) -> float:
    baseline = expected_running_time(times.baseline, times.end)
    method = expected_running_time(times.method, times.end)
    if math.isinf(method):
        return math.nan if math.isinf(baseline) else -math.inf
    return math.inf if math.isinf(baseline) else math.log(baseline / method)


def _variance(times: Times) -> float:
    """Return the variance of the log ratio by the delta method; nan if too few runs reached the target."""
    n = len(times.method)
    if n < 2 or min(np.isfinite(times.method).sum(), np.isfinite(times.baseline).sum()) < LEAST_REACHED:
        return math.nan

    def influence(values: Floats) -> Floats:
        spent, reached = np.minimum(values, times.end), np.isfinite(values).astype(float)
        return np.asarray(spent / spent.mean() - reached / reached.mean())

    return float(np.var(influence(times.baseline) - influence(times.method), ddof=1)) / n
