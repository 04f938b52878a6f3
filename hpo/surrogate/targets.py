"""Conversion of losses into targets of a Gaussian process: handles heavy tails, different resources and outliers."""

import math

import numpy as np

from hpo.surrogate.arrays import Floats, Integers

SKEWED = 10.0
"""Ratio of the 90 % to the 10 % quantile above which positive losses are modelled on a log scale.

`compress` uses it too: it compresses values if their range exceeds this many times the distance from the lowest to the
median.
"""

OUTLIER = 5.0
"""Number of interquartile ranges above the median at which losses are clipped."""


LARGEST = 1e100
"""Largest magnitude of a loss, at which others are clipped so that differences and squares stay finite."""


def make_finite(losses: Floats) -> Floats:
    """Return the losses with the worst finite one in place of those that are not finite; zeros if none is finite."""
    if len(losses) == 0 or np.abs(losses).max() <= LARGEST:
        return losses
    finite = np.isfinite(losses)
    losses = np.clip(losses, -LARGEST, LARGEST)
    worst = losses[finite].max() if finite.any() else 0.0
    return np.where(finite, losses, worst)


def penalise_infeasible(losses: Floats, violations: Floats) -> Floats:
    """Return losses in which results that violate constraints are worse than all others, in proportion to their violations.

    Args:
        losses: Losses, shape (n,).
        violations: Constraint violations, shape (n,), 0 for none; results with an infinite violation, or with a violation
            and an infinite loss, become +inf.
    """
    violated = violations > 0
    if not violated.any():
        return losses
    feasible = make_finite(losses)[np.isfinite(losses) & ~violated]
    known = np.isfinite(violations) & np.isfinite(losses)
    worst, spread = (float(feasible.max()), float(np.ptp(feasible))) if len(feasible) else (0.0, 0.0)
    most = float(violations[known].max(initial=0.0)) or 1.0
    behind = worst + (spread or 1.0) * (0.1 + violations / most)
    return np.where(violated, np.where(known, behind, math.inf), losses)


def to_targets(losses: Floats, resources: Integers, trials: Integers) -> Floats:
    """Convert losses into targets of mean 0 and variance 1 by normal scores, comparable over resources; lower is better.

    Args:
        losses: Losses, shape (n,); those that are not finite count as the worst finite one.
        resources: Resource of each loss, shape (n,).
        trials: Trial of each loss, shape (n,); a trial has at most one loss at a resource.
    """
    if len(losses) == 0:
        return make_finite(losses)
    return standardise(normal_scores(winsorise(align_losses(losses, resources, trials))))


def to_values(losses: Floats, resources: Integers, trials: Integers) -> Floats:
    """Convert losses into targets as `to_targets` does, but keep the distances between good losses.

    The minimum of a smooth function is found from such distances.
    """
    if len(losses) == 0:
        return make_finite(losses)
    return standardise(winsorise(compress(align(make_finite(losses), resources, trials))))


def compress(values: Floats) -> Floats:
    """Compress values that reach far above the median: ln(1 + (y - lowest) / (median - lowest)), linear near the lowest."""
    ordered = np.sort(values)
    half = median(ordered) - ordered[0]
    if half <= 0 or ordered[-1] - ordered[0] <= SKEWED * half:
        return values
    compressed: Floats = np.log1p((values - ordered[0]) / half)
    return compressed


def align_losses(losses: Floats, resources: Integers, trials: Integers) -> Floats:
    """Make losses comparable over resources, on a log scale if they are skewed; arguments as of `to_targets`."""
    values = make_finite(losses)
    if values.min() > 0:
        ordered = np.sort(values)
        if quantile(ordered, 0.9) > SKEWED * quantile(ordered, 0.1):
            values = np.log(values)
    return align(values, resources, trials)


def quantile(ordered: Floats, share: float) -> float:
    """Return a quantile of ascending values, bit for bit as np.quantile but faster."""
    place = share * (len(ordered) - 1)
    below = int(place)
    part = place - below
    low, high = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    return low + part * (high - low) if part < 0.5 else high - (1 - part) * (high - low)


def median(ordered: Floats) -> float:
    """Return the median of ascending values, bit for bit as np.median, so that equal values stay equal after alignment."""
    half = len(ordered) // 2
    return float(ordered[half]) if len(ordered) % 2 else 0.5 * float(ordered[half - 1] + ordered[half])


def align(values: Floats, resources: Integers, trials: Integers) -> Floats:
    """Remove from values the typical change from one resource to the next.

    The change is the median over the trials measured at both resources. Standardising each resource separately would be
    wrong, because trials at higher resources are a selection.
    """
    levels = np.array(sorted(set(resources.tolist())))
    if len(levels) == 1:
        return values
    level = levels.searchsorted(resources)
    table = np.full((len(levels), trials.max() + 1), np.nan)
    table[level, trials] = values
    changes = table[1:] - table[:-1]
    offsets = [0.0]
    for change in changes:
        known = np.sort(change[~np.isnan(change)])
        offsets.append(offsets[-1] + (median(known) if len(known) else 0.0))
    align_losses: Floats = values - np.array(offsets)[level]
    return align_losses


def winsorise(values: Floats) -> Floats:
    """Clip values at the median plus `OUTLIER` interquartile ranges, since the size of a failure carries no information."""
    ordered = np.sort(values)
    low, middle, high = (quantile(ordered, share) for share in (0.25, 0.5, 0.75))
    return np.minimum(values, middle + OUTLIER * (high - low)) if high > low else values


def normal_scores(values: Floats) -> Floats:
    """Return the standard normal quantiles of the values' ranks; equal values share their mean rank."""
    from scipy.special import ndtri

    ordered = np.sort(values)
    if ordered[0] == ordered[-1]:
        return np.zeros(len(values))
    return ndtri((mean_ranks(values, ordered) + 0.5) / len(values))


def mean_ranks(values: Floats, ordered: Floats) -> Floats:
    """Return ranks from 0 for the lowest value; equal values share their mean rank. scipy.stats.rankdata is slow to import.

    Args:
        values: Values, shape (n,).
        ordered: The same values in ascending order.
    """
    return (ordered.searchsorted(values) + ordered.searchsorted(values, side="right") - 1) / 2


def standardise(values: Floats) -> Floats:
    """Rescale values to mean 0 and variance 1; constant values become 0."""
    centred = values - values.mean()
    spread = math.sqrt(centred @ centred / len(centred))
    return centred / spread if spread > 1e-12 else np.zeros(len(values))
