"""Results of earlier experiments, for a model: another task's, whose order may tell something and whose values do not."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.events.values import Configuration
from hpo.surrogate.targets import Floats, Integers, aligned, mean_ranks


@dataclass(frozen=True)
class EarlierData:
    """Measurements of one source; a trial has at most one at a resource."""

    configurations: Sequence[Configuration]
    """Of each trial."""
    trials: Sequence[int]
    """Which trial each measurement is of."""
    resources: Sequence[int]
    losses: Sequence[float]
    certain: Sequence[bool]
    """False where something else was tuned too."""


def earlier_targets(losses: Floats, resources: Integers, trials: Integers) -> Floats:
    """Targets, lower is better: the typical change between resources taken out, ranks, their normal quantiles.

    Shares are cut at δ = 1 / (4 n^¼ √(π ln n)) from both ends, as Salinas et al., "A Quantile-based Approach for
    Hyperparameter Transfer Learning" (ICML 2020), do.

    Args:
        losses: shape (n,); those that are not finite count as the worst finite one.
        resources: shape (n,).
        trials: shape (n,), from 0.
    """
    from scipy.special import ndtri

    n = len(losses)
    if n < 2:
        return np.zeros(n)
    values = aligned(losses, resources, trials)
    edge = 1 / (4 * n**0.25 * math.sqrt(math.pi * math.log(n)))
    shares = (mean_ranks(values, np.sort(values)) + 0.5) / n
    scores: Floats = ndtri(np.clip(shares, edge, 1 - edge))
    return scores


def agreement(predicted: Floats, measured: Floats) -> float:
    """Kendall's τ, from -1 to 1: pairs in the same order less those in the other one, as a share of all pairs."""
    first, second = np.triu_indices(len(measured), 1)
    if not len(first):
        return 0.0
    return float((np.sign(predicted[first] - predicted[second]) * np.sign(measured[first] - measured[second])).mean())
