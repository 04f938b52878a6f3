"""The metrics that GLUE, SWAG and IMDB are judged by, from logits (N x classes, or N values) and true labels (N)."""

import math
from collections.abc import Callable

from torch import Tensor


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The share of right answers."""
    return (logits.argmax(dim=1) == labels).double().mean().item()


def f1(logits: Tensor, labels: Tensor) -> float:
    """The harmonic mean of precision and recall of class 1; 0 where nothing is found."""
    found, wanted = logits.argmax(dim=1) == 1, labels == 1
    hits, relevant = (found & wanted).sum().item(), found.sum().item() + wanted.sum().item()
    return 2 * hits / relevant if relevant else 0.0


def matthews_correlation(logits: Tensor, labels: Tensor) -> float:
    """The correlation of answers and truth, two classes; 0 where all answers are equal."""
    coefficient = correlation(logits.argmax(dim=1), labels)
    return coefficient if math.isfinite(coefficient) else 0.0


def pearson(predictions: Tensor, labels: Tensor) -> float:
    """The correlation of predicted and true values; NaN where all predictions are equal."""
    return correlation(predictions, labels)


def spearmanr(predictions: Tensor, labels: Tensor) -> float:
    """The correlation of the ranks of predicted and true values; NaN where all predictions are equal."""
    if not predictions.isfinite().all():
        return math.nan  # they have no order
    return correlation(ranks(predictions), ranks(labels))


def ranks(values: Tensor) -> Tensor:
    """The place of each value in ascending order; equal ones share the mean of their places."""
    _, group, sizes = values.unique(sorted=True, return_inverse=True, return_counts=True)
    last = sizes.cumsum(0).double()
    return (last - (sizes - 1) / 2)[group]


def correlation(x: Tensor, y: Tensor) -> float:
    """Pearson's coefficient; NaN where either does not vary."""
    if len(x.unique()) < 2 or len(y.unique()) < 2:  # rounding would make a coefficient of it
        return math.nan
    x, y = x.double() - x.double().mean(), y.double() - y.double().mean()
    return ((x * y).sum() / (x.square().sum() * y.square().sum()).sqrt()).item()


SCORES: dict[str, Callable[[Tensor, Tensor], float]] = {
    function.__name__: function for function in (accuracy, f1, matthews_correlation, pearson, spearmanr)
}
