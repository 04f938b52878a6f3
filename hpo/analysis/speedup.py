"""How much sooner a method reaches the baseline's final value: expected running times, with runs that never reach it.

The expected running time (ERT) of a target is the time that all runs spent until they reached it, or until the budget
ended, over the number of runs that reached it (Hansen et al., "COCO: Performance Assessment", 2016, section 4). The
target is one for all seeds, the median of the baseline's final values: a target per seed would make the baseline reach
its own always, and penalise every other method.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.history.trajectories import Floats

LEAST_REACHED = 2
"""Runs of either method on each benchmark that must reach the target before an interval is given."""


@dataclass(frozen=True, eq=False, slots=True)
class Times:
    """Seconds to the target on one benchmark, paired by seed; +inf where it is not reached by `end`."""

    method: Floats
    baseline: Floats
    end: float


@dataclass(frozen=True, slots=True)
class SpeedUp:
    """ERT of the baseline over ERT of the method: above 1 the method is sooner. nan: nobody reached it."""

    ratio: float
    low: float
    high: float
    method_time: float
    """ERT in seconds; nan for several benchmarks."""
    baseline_time: float
    method_reached: float
    """The share of runs."""
    baseline_reached: float


def expected_running_time(times: Floats, end: float) -> float:
    """ERT in seconds; +inf where no run reached the target."""
    reached = int(np.isfinite(times).sum())
    return float(np.minimum(times, end).sum()) / reached if reached else math.inf


def speed_up(strata: Sequence[Times], level: float = 0.95) -> SpeedUp:
    """The speed-up, and its interval.

    Over several benchmarks it is the geometric mean. The interval is Student's on the log scale, with the delta
    method's standard error of a ratio of means; seeds are pairs, so what they share cancels.
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
    """Of the log of the ratio, by the delta method; nan where too few runs reached the target."""
    n = len(times.method)
    if n < 2 or min(np.isfinite(times.method).sum(), np.isfinite(times.baseline).sum()) < LEAST_REACHED:
        return math.nan

    def influence(values: Floats) -> Floats:
        spent, reached = np.minimum(values, times.end), np.isfinite(values).astype(float)
        return np.asarray(spent / spent.mean() - reached / reached.mean())

    return float(np.var(influence(times.baseline) - influence(times.method), ddof=1)) / n
