"""Losses as targets of a Gaussian process: heavy tails, different resources and outliers taken care of."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

SKEWED = 10.0
"""Positive losses whose 90 % quantile is so many times their 10 % quantile are modelled on a log scale."""

OUTLIER = 5.0
"""Losses further above the median than so many interquartile ranges are cut there."""


LARGEST = 1e100
"""Losses beyond count as this, so that differences and squares stay finite."""


def make_finite(losses: Floats) -> Floats:
    """The same with the worst finite loss in place of those that are not; zeros where none is."""
    finite = np.isfinite(losses)
    losses = np.clip(losses, -LARGEST, LARGEST)
    if finite.all():
        return losses
    worst = losses[finite].max() if finite.any() else 0.0
    return np.where(finite, losses, worst)


def to_targets(losses: Floats, resources: Integers, trials: Integers) -> Floats:
    """Targets of mean 0 and variance 1, lower is better, comparable over resources.

    Args:
        losses: shape (n,); those that are not finite count as the worst finite one.
        resources: shape (n,), at which each was measured.
        trials: shape (n,), which trial each belongs to; a trial has at most one loss at a resource.
    """
    values = make_finite(losses)
    if len(values) == 0:
        return values
    if values.min() > 0:
        low, high = np.quantile(values, (0.1, 0.9))
        if high > SKEWED * low:
            values = np.log(values)
    return standardise(normal_scores(winsorise(align(values, resources, trials))))


def align(values: Floats, resources: Integers, trials: Integers) -> Floats:
    """Values with the typical change from one resource to the next taken out.

    The change is the median over the trials that were measured at both. Standardising each resource by itself would be
    wrong: trials at higher ones are a selection.
    """
    levels = np.unique(resources)
    aligned = values.copy()
    offset = 0.0
    for lower, upper in pairwise(levels):
        at_lower, at_upper = resources == lower, resources == upper
        _, first, second = np.intersect1d(trials[at_lower], trials[at_upper], return_indices=True)
        if len(first):
            offset += float(np.median(values[at_upper][second] - values[at_lower][first]))
        aligned[at_upper] = values[at_upper] - offset
    return aligned


def winsorise(values: Floats) -> Floats:
    """Values cut at the median plus `OUTLIER` interquartile ranges: how badly a failure failed says nothing."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return np.minimum(values, middle + OUTLIER * (high - low)) if high > low else values


def normal_scores(values: Floats) -> Floats:
    """The normal quantiles of the ranks; equal values share the mean of their ranks."""
    from scipy.special import ndtri

    ordered, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - 0.5 * counts)[inverse]
    scores: Floats = ndtri(ranks / len(values))
    return scores if len(ordered) > 1 else np.zeros(len(values))


def standardise(values: Floats) -> Floats:
    """Mean 0, variance 1; constant values become 0."""
    centred = values - values.mean()
    spread = centred.std()
    return centred / spread if spread > 1e-12 else np.zeros(len(values))
