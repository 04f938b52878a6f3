"""Conformalised quantile regression (Romano et al., NeurIPS 2019): quantiles of a loss, whatever its noise is like.

One ensemble of gradient-boosted trees per quantile, by scikit-learn. What it says of results that it has not seen widens or
narrows the pairs .1 to .9 and .3 to .7 until they hold as many of those as they should.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo.surrogate.kernel import Floats, Integers

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""The quantiles, symmetric about the median."""

CORRECTED_ABOVE = 32
"""With so many results or fewer all are learned from, and nothing is corrected."""

RATE = 0.2
"""Of learning: twice that of scikit-learn, for half as many trees."""

DEPTH = 3
LEAST_IN_LEAF = 2


@dataclass(frozen=True)
class Quantiles:
    """A fitted model.

    Attributes:
        trees: one ensemble for each of LEVELS.
        shifts: shape (levels,), what is added to the prediction of each.
    """

    trees: Sequence[Any]
    shifts: Floats

    def predict(self, x: Floats, levels: Integers) -> Floats:
        """One corrected quantile of each point, shape (n,).

        Args:
            x: encoded configurations, shape (n, columns).
            levels: shape (n,), which of LEVELS is asked for.
        """
        found = np.empty(len(x))
        for level, trees in enumerate(self.trees):
            asked = np.flatnonzero(levels == level)
            if len(asked):
                found[asked] = trees.predict(x[asked]) + self.shifts[level]
        return found


def fit(x: Floats, y: Floats, rng: np.random.Generator, *, held_out: float, iterations: int) -> Quantiles:
    """Learn the quantiles of `y` given `x`; the same for any number of threads.

    Args:
        x: encoded configurations, shape (n, columns).
        y: finite losses, shape (n,).
        rng: draws the results that are held out.
        held_out: the share of results that the others are corrected by, where there are more than CORRECTED_ABOVE.
        iterations: trees per quantile.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # takes a second

    order = rng.permutation(len(y))
    count = math.ceil(held_out * len(y)) if len(y) > CORRECTED_ABOVE else 0
    apart, learned = np.sort(order[:count]), np.sort(order[count:])
    trees = [
        HistGradientBoostingRegressor(
            loss="quantile",
            quantile=level,
            learning_rate=RATE,
            max_iter=iterations,
            max_depth=DEPTH,
            min_samples_leaf=LEAST_IN_LEAF,
            early_stopping=False,
            random_state=0,  # None asks NumPy's global state; nothing here is drawn
        ).fit(x[learned], y[learned])
        for level in LEVELS
    ]
    if not count:
        return Quantiles(trees, np.zeros(len(LEVELS)))
    return Quantiles(trees, corrections(np.array([one.predict(x[apart]) for one in trees]), y[apart]))


def corrections(predicted: Floats, y: Floats) -> Floats:
    """What is added to each quantile, shape (levels,): a pair moves apart or together by as much; the median stays.

    Args:
        predicted: quantiles of results that were not learned from, shape (levels, n).
        y: these results, shape (n,).
    """
    shifts = np.zeros(len(LEVELS))
    for low in range(len(LEVELS) // 2):
        high = len(LEVELS) - 1 - low
        outside = np.maximum(predicted[low] - y, y - predicted[high])
        shifts[high] = conformal_quantile(outside, LEVELS[high] - LEVELS[low])
        shifts[low] = -shifts[high]
    return shifts


def conformal_quantile(scores: Floats, coverage: float) -> float:
    """What one more score does not exceed with at least this probability: the ⌈(n + 1) coverage⌉-th smallest of n.

    Where n is too small for that, the largest, which is the most that they can say.
    """
    place = math.ceil(round((len(scores) + 1) * coverage, 9))
    return float(np.sort(scores)[min(place, len(scores)) - 1])
