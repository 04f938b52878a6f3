"""Configurations that are good together: on each of several tasks at least one of them.

Greedy, as Wistuba, Schilling & Schmidt-Thieme, "Sequential Model-Free Hyperparameter Tuning" (ICDM 2015): taken is what most
reduces the mean over the tasks of the best score so far.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from hpo.events.values import Configuration
from hpo.randomness import Randomness
from hpo.surrogate.earlier import earlier_targets
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.history import History
from hpo.surrogate.kernel import Floats
from hpo.surrogate.model import JointModel
from hpo.surrogate.sought import OneLoss


def take_greedily(scores: Sequence[Floats], apart: Callable[[int], Sequence[bool]], count: int) -> list[int]:
    """Indices of up to `count` candidates: each most reduces the mean over the tasks of the best score so far.

    Where none reduces it any more, the best so far is forgotten, and what comes first then is taken. Of equal ones it is the
    first.

    Args:
        scores: of each task, lower is better, shape (candidates,), finite.
        apart: which candidates may follow the one of an index.
        count: how many.
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
    """Of candidates that a task has trained: normal scores of the ranks of their losses."""
    numbers = np.arange(len(losses))
    return earlier_targets(np.array(losses, dtype=np.float64), np.ones_like(numbers), numbers)


def expected_scores(
    encoding: Encoding,
    candidates: Sequence[Configuration],
    results: Iterable[tuple[int, int, float]],
    randomness: Randomness,
    most: int,
) -> Floats:
    """Of candidates of which a task has trained some: the posterior means of a Gaussian process at its highest resource.

    Args:
        encoding: of configurations.
        candidates: their scores are wanted.
        results: of the task: index of a candidate, resource and loss.
        randomness: decides on subsets.
        most: results in the model.

    Raises:
        ArithmeticError: no model could be made of it.
    """
    from hpo.surrogate.threads import one_thread

    history = History(encoding)
    trials: dict[int, int] = {}
    for index, resource, loss in results:
        if index not in trials:
            trials[index] = history.trial(candidates[index])
        history.add_to(trials[index], resource, loss)
    model = JointModel(history, randomness, most)
    resource = max(history.levels(len(history)))
    with one_thread(), np.errstate(divide="ignore", under="ignore", over="raise", invalid="raise"):
        return OneLoss(model, [len(history)], resource, encoding.encode(candidates)).means
