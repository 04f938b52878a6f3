"""Losses as targets of a Gaussian process: heavy tails, different resources and outliers taken care of."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

SKEWED = 10.0
"""Positive losses whose 90 % quantile is so many times their 10 % quantile are modelled on a log scale.

Where distances are kept, those that reach so many times as far above the lowest as the median does are compressed.
"""

OUTLIER = 5.0
"""Losses further above the median than so many interquartile ranges are cut there."""


LARGEST = 1e100
"""Losses beyond count as this, so that differences and squares stay finite."""


def make_finite(losses: Floats) -> Floats:
    """The same with the worst finite loss in place of those that are not; zeros where none is."""
    if len(losses) == 0 or np.abs(losses).max() <= LARGEST:
        return losses
    finite = np.isfinite(losses)
    losses = np.clip(losses, -LARGEST, LARGEST)
    worst = losses[finite].max() if finite.any() else 0.0
    return np.where(finite, losses, worst)


def behind_feasible(losses: Floats, violations: Floats) -> Floats:
    """Losses with those that violate constraints behind all that do not, in the order and the spacing of the violations.

    Args:
        losses: shape (n,).
        violations: shape (n,), 0 where there is none; infinite ones, and finite ones with an infinite loss, become +inf.
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
    """Targets of mean 0 and variance 1, lower is better, comparable over resources.

    Args:
        losses: shape (n,); those that are not finite count as the worst finite one.
        resources: shape (n,), at which each was measured.
        trials: shape (n,), which trial each belongs to; a trial has at most one loss at a resource.
    """
    if len(losses) == 0:
        return make_finite(losses)
    return standardise(normal_scores(winsorise(aligned(losses, resources, trials))))


def to_values(losses: Floats, resources: Integers, trials: Integers) -> Floats:
    """As `to_targets`, with the distances of good losses kept: what the minimum of a smooth function is found by."""
    if len(losses) == 0:
        return make_finite(losses)
    return standardise(winsorise(compress(align(make_finite(losses), resources, trials))))


def compress(values: Floats) -> Floats:
    """ln(1 + (y - lowest) / (median - lowest)) where values reach far above the median: linear near the lowest."""
    ordered = np.sort(values)
    half = median(ordered) - ordered[0]
    if half <= 0 or ordered[-1] - ordered[0] <= SKEWED * half:
        return values
    compressed: Floats = np.log1p((values - ordered[0]) / half)
    return compressed


def aligned(losses: Floats, resources: Integers, trials: Integers) -> Floats:
    """Losses that are comparable over resources, on a log scale where they are skewed; arguments as of `to_targets`."""
    values = make_finite(losses)
    if values.min() > 0:
        ordered = np.sort(values)
        if quantile(ordered, 0.9) > SKEWED * quantile(ordered, 0.1):
            values = np.log(values)
    return align(values, resources, trials)


def quantile(ordered: Floats, share: float) -> float:
    """Of values in ascending order, linear between two of them: np.quantile, which takes longer, to the last bit."""
    place = share * (len(ordered) - 1)
    below = int(place)
    part = place - below
    low, high = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    return low + part * (high - low) if part < 0.5 else high - (1 - part) * (high - low)


def median(ordered: Floats) -> float:
    """Of values in ascending order: np.median, to the last bit, so that values that are equal once aligned stay so."""
    half = len(ordered) // 2
    return float(ordered[half]) if len(ordered) % 2 else 0.5 * float(ordered[half - 1] + ordered[half])


def align(values: Floats, resources: Integers, trials: Integers) -> Floats:
    """Values with the typical change from one resource to the next taken out.

    The change is the median over the trials that were measured at both. Standardising each resource by itself would be
    wrong: trials at higher ones are a selection.
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
    aligned: Floats = values - np.array(offsets)[level]
    return aligned


def winsorise(values: Floats) -> Floats:
    """Values cut at the median plus `OUTLIER` interquartile ranges: how badly a failure failed says nothing."""
    ordered = np.sort(values)
    low, middle, high = (quantile(ordered, share) for share in (0.25, 0.5, 0.75))
    return np.minimum(values, middle + OUTLIER * (high - low)) if high > low else values


def normal_scores(values: Floats) -> Floats:
    """The normal quantiles of the ranks; equal values share the mean of their ranks."""
    from scipy.special import ndtri

    ordered = np.sort(values)
    if ordered[0] == ordered[-1]:
        return np.zeros(len(values))
    return ndtri((mean_ranks(values, ordered) + 0.5) / len(values))


def mean_ranks(values: Floats, ordered: Floats) -> Floats:
    """From 0 for the lowest; equal values share the mean of theirs. scipy.stats.rankdata takes long to import.

    Args:
        values: shape (n,).
        ordered: the same, ascending.
    """
    return (ordered.searchsorted(values) + ordered.searchsorted(values, side="right") - 1) / 2


def standardise(values: Floats) -> Floats:
    """Mean 0, variance 1; constant values become 0."""
    centred = values - values.mean()
    spread = math.sqrt(centred @ centred / len(centred))
    return centred / spread if spread > 1e-12 else np.zeros(len(values))
