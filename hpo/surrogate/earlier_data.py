"""Results of earlier experiments as data for a surrogate model; their order may be informative, their values are not."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.events.types import Configuration
from hpo.surrogate.arrays import Floats, Integers
from hpo.surrogate.targets import align_losses, mean_ranks


@dataclass(frozen=True)
class EarlierData:
    """Measurements of one earlier experiment; a trial has at most one at each resource."""

    configurations: Sequence[Configuration]
    """Configuration of each trial."""
    trials: Sequence[int]
    """Index of the trial that each measurement belongs to."""
    resources: Sequence[int]
    losses: Sequence[float]
    certain: Sequence[bool]
    """Whether all hyperparameters that are not tuned now had their present values, for each measurement."""


def earlier_targets(losses: Floats, resources: Integers, trials: Integers) -> Floats:
    """Convert losses of an earlier experiment into targets: normal scores, comparable over resources, lower is better.

    The typical change between resources is removed first, then losses become ranks. Quantile levels are clipped at
    δ = 1 / (4 n^¼ √(π ln n)) from both ends, as in Salinas et al., "A Quantile-based Approach for Hyperparameter Transfer
    Learning" (ICML 2020).

    Args:
        losses: Losses, shape (n,); those that are not finite count as the worst finite one.
        resources: Resource of each loss, shape (n,).
        trials: Index of the trial of each loss, shape (n,), from 0.
    """
    from scipy.special import ndtri

    n = len(losses)
    if n < 2:
        return np.zeros(n)
    values = align_losses(losses, resources, trials)
    edge = 1 / (4 * n**0.25 * math.sqrt(math.pi * math.log(n)))
    shares = (mean_ranks(values, np.sort(values)) + 0.5) / n
    scores: Floats = ndtri(np.clip(shares, edge, 1 - edge))
    return scores


def agreement(predicted: Floats, measured: Floats) -> float:
    """Return Kendall's τ, from -1 to 1: the fraction of pairs in the same order minus the fraction in the opposite order."""
    first, second = np.triu_indices(len(measured), 1)
    if not len(first):
        return 0.0
    return float((np.sign(predicted[first] - predicted[second]) * np.sign(measured[first] - measured[second])).mean())
