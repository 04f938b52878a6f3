"""Portfolios: small sets of configurations such that on each of several tasks at least one is good.

The greedy selection of Wistuba, Schilling & Schmidt-Thieme, "Sequential Model-Free Hyperparameter Tuning" (ICDM 2015): each
configuration taken is the one that most reduces the mean, over tasks, of the best score so far.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from hpo.events.types import Configuration
from hpo.randomness import Randomness
from hpo.surrogate.arrays import Floats
from hpo.surrogate.earlier_data import earlier_targets
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.joint_gp import JointGP
from hpo.surrogate.scalarisation import SingleLoss
from hpo.surrogate.training_data import TrainingData


def select_greedily(scores: Sequence[Floats], apart: Callable[[int], Sequence[bool]], count: int) -> list[int]:
    """Return indices of up to `count` candidates, each of which most reduces the mean over tasks of the best score so far.

    If no candidate reduces it any further, the best scores are reset and the selection continues. Ties go to the first
    candidate.

    Args:
        scores: Scores of all candidates for each task, shape (candidates,), finite, lower is better.
        apart: Function from the index of a taken candidate to which candidates may still be taken.
        count: Maximum number of candidates to take.
    """
    of_all = np.array(scores)
    taken: list[int] = []
    left = np.ones(of_all.shape[1], dtype=bool)
    best = np.full(len(of_all), np.inf)
    while left.any() and len(taken) < count:
        means = np.where(left, np.minimum(best[:, None], of_all).mean(axis=0), np.inf).round(9)
        if np.isfinite(best).all() and means.min() >= best.mean().round(9):
            best[:] = np.inf
            continue
        index = int(np.argmin(means))
        taken.append(index)
        best = np.minimum(best, of_all[:, index])
        left &= np.array(apart(index), dtype=bool)
        left[index] = False
    return taken


def exact_scores(losses: Sequence[float]) -> Floats:
    """Return the scores of candidates that a task has evaluated: the normal scores of the ranks of their losses."""
    numbers = np.arange(len(losses))
    return earlier_targets(np.array(losses, dtype=np.float64), np.ones_like(numbers), numbers)


def expected_scores(
    encoding: Encoding,
    candidates: Sequence[Configuration],
    results: Iterable[tuple[int, int, float]],
    randomness: Randomness,
    most: int,
) -> Floats:
    """Return the scores of candidates that a task has evaluated in part: Gaussian process means at its highest resource.

    Args:
        encoding: Encoding of configurations.
        candidates: Configurations to score.
        results: Results of the task: index of a candidate, resource and loss.
        randomness: Source of random subsets of the data.
        most: Maximum number of results in the model.

    Raises:
        ArithmeticError: The model could not be fitted.
    """
    from hpo.surrogate.single_thread import one_thread

    history = TrainingData(encoding)
    trials: dict[int, int] = {}
    for index, resource, loss in results:
        if index not in trials:
            trials[index] = history.trial(candidates[index])
        history.add_to(trials[index], resource, loss)
    model = JointGP(history, randomness, most)
    resource = max(history.levels(len(history)))
    with one_thread(), np.errstate(divide="ignore", under="ignore", over="raise", invalid="raise"):
        return SingleLoss(model, [len(history)], resource, encoding.encode(candidates)).means
