"""Conformalised quantile regression (Romano et al., NeurIPS 2019): quantiles of a loss under noise of any distribution.

There is one ensemble of gradient-boosted trees per quantile, by scikit-learn. Predictions for held-out results widen or
narrow the intervals from 0.1 to 0.9 and from 0.3 to 0.7 until they contain the nominal share of those results.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo.surrogate.arrays import Floats, Integers

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""The quantile levels that are modelled, symmetric about the median."""

CORRECTED_ABOVE = 32
"""Number of results above which some are held out to calibrate the quantiles; otherwise all are used for training."""

RATE = 0.2
"""Learning rate of the trees, twice scikit-learn's default, for half as many trees."""

DEPTH = 3
LEAST_IN_LEAF = 2


@dataclass(frozen=True)
class Quantiles:
    """A fitted model of the quantiles of a loss.

    Attributes:
        trees: Ensemble of trees for each of LEVELS.
        shifts: Value added to the prediction of each level, shape (levels,).
    """

    trees: Sequence[Any]
    shifts: Floats

    def predict(self, x: Floats, levels: Integers) -> Floats:
        """Return one calibrated quantile for each point, shape (n,).

        Args:
            x: Encoded configurations, shape (n, columns).
            levels: Index into LEVELS for each point, shape (n,).
        """
        found = np.empty(len(x))
        for level, trees in enumerate(self.trees):
            asked = np.flatnonzero(levels == level)
            if len(asked):
                found[asked] = trees.predict(x[asked]) + self.shifts[level]
        return found


def fit(x: Floats, y: Floats, rng: np.random.Generator, *, held_out: float, iterations: int) -> Quantiles:
    """Fit the quantiles of `y` given `x`; the result does not depend on the number of threads.

    Args:
        x: Encoded configurations, shape (n, columns).
        y: Finite losses, shape (n,).
        rng: Random number generator that selects the held-out results.
        held_out: Fraction of results held out for calibration, if there are more than CORRECTED_ABOVE.
        iterations: Number of trees for each quantile.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # takes a second to import

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
            random_state=0,  # None would read NumPy's global state, although nothing is drawn
        ).fit(x[learned], y[learned])
        for level in LEVELS
    ]
    if not count:
        return Quantiles(trees, np.zeros(len(LEVELS)))
    return Quantiles(trees, corrections(np.array([one.predict(x[apart]) for one in trees]), y[apart]))


def corrections(predicted: Floats, y: Floats) -> Floats:
    """Return the calibration shift of each quantile, shape (levels,): opposite within a pair, 0 for the median.

    Args:
        predicted: Predicted quantiles of held-out results, shape (levels, n).
        y: Losses of the held-out results, shape (n,).
    """
    shifts = np.zeros(len(LEVELS))
    for low in range(len(LEVELS) // 2):
        high = len(LEVELS) - 1 - low
        outside = np.maximum(predicted[low] - y, y - predicted[high])
        shifts[high] = conformal_quantile(outside, LEVELS[high] - LEVELS[low])
        shifts[low] = -shifts[high]
    return shifts


def conformal_quantile(scores: Floats, coverage: float) -> float:
    """Return a bound that one more score respects with at least this probability: the ⌈(n + 1) coverage⌉-th smallest score.

    If there are too few scores for that, return the largest.
    """
    place = math.ceil(round((len(scores) + 1) * coverage, 9))
    return float(np.sort(scores)[min(place, len(scores)) - 1])
