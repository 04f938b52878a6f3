"""What a proposal is to be low in: a loss, or several of them weighed against each other; their means and joint draws.

Several: Paria, Kandasamy & Póczos, "A Flexible Framework for Multi-Objective Bayesian Optimization using Random
Scalarizations" (UAI 2019), with the augmented Chebyshev function of Knowles, "ParEGO" (IEEE Transactions on Evolutionary
Computation 10, 2006). Weights differ from proposal to proposal, which leads them to different parts of the front.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from hpo.events.objective import Aim
from hpo.randomness import Randomness
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.fit import factorise
from hpo.surrogate.history import History
from hpo.surrogate.hypervolume import front_of
from hpo.surrogate.kernel import Floats
from hpo.surrogate.model import JointModel
from hpo.surrogate.targets import to_targets

SUM_WEIGHT = 0.05
"""ParEGO's ρ: what the sum counts beside the maximum, so that what is equal in the worst objective is told apart."""


class Sought(ABC):
    """Of what is known so far, at one resource.

    Attributes:
        means: expected for each of the configurations that it was made with, shape (n,); lower is better.
    """

    means: Floats

    @abstractmethod
    def drawn(self, x: Floats, exploration: float, rng: np.random.Generator) -> tuple[Floats, float]:
        """A joint draw for encoded configurations, shape (k,), and the typical standard deviation of one.

        Args:
            x: shape (k, columns).
            exploration: how far it may deviate from the mean: 0 not at all, 1 as far as the posterior says.
            rng: where chance comes from.

        Raises:
            NumericalError: a covariance could not be factorised.
        """


class OneLoss(Sought):
    """The loss itself.

    Args:
        model: of it.
        fits: numbers of measurements at which hyperparameters are fitted, ascending.
        resource: where.
        rows: encoded configurations, shape (n, columns).
    """

    def __init__(self, model: JointModel, fits: Sequence[int], resource: int, rows: Floats) -> None:
        self._posterior, _, self._levels = model.posterior(fits)
        self._resource = resource
        self.means = self._posterior.mean(History.unmeasured(rows, resource, self._levels))[:, 0]

    def drawn(self, x: Floats, exploration: float, rng: np.random.Generator) -> tuple[Floats, float]:
        """See `Sought`."""
        mean, covariance = self._posterior.joint(History.unmeasured(x, self._resource, self._levels))
        scores = mean[:, 0]
        if exploration:
            factor = factorise(covariance, f"the joint covariance of {len(x)} candidates is not positive definite")
            scores = scores + exploration * (factor @ rng.standard_normal(len(x)))
        return scores, math.sqrt(float(np.diagonal(covariance).mean()))


class Weighed(Sought):
    """Several losses as one: the worst of them, each counted from the ideal to the nadir of the front and by its weight.

    Args:
        losses: m of them, of the same configurations.
        weights: shape (m,), of sum 1.
    """

    def __init__(self, losses: Sequence[OneLoss], weights: Floats) -> None:
        self._losses, self._weights = losses, weights
        means = np.column_stack([loss.means for loss in losses])
        front = means[front_of(means)]
        self._ideal = front.min(axis=0)
        spans = front.max(axis=0) - self._ideal
        self._spans = np.where(spans > 1e-9, spans, 1.0)
        self.means = self._weigh(means)

    def _weigh(self, losses: Floats) -> Floats:
        parts = self._weights * (losses - self._ideal) / self._spans
        weighed: Floats = parts.max(axis=1) + SUM_WEIGHT * parts.sum(axis=1)
        return weighed

    def drawn(self, x: Floats, exploration: float, rng: np.random.Generator) -> tuple[Floats, float]:
        """See `Sought`."""
        draws, spreads = zip(*(loss.drawn(x, exploration, rng) for loss in self._losses), strict=True)
        return self._weigh(np.column_stack(draws)), float(self._weights @ (np.array(spreads) / self._spans))


class ObjectiveModel(JointModel):
    """The model of one of several objectives, on a log scale where its benchmark says so.

    Args:
        encoding: of configurations.
        randomness: decides on subsets.
        most: measurements in the model at a fit.
        aim: the objective; None where nothing is told of it.
    """

    def __init__(self, encoding: Encoding, randomness: Randomness, most: int, aim: Aim | None) -> None:
        super().__init__(History(encoding), randomness, most)
        self._aim = aim

    def _make_targets(self, count: int) -> Floats:
        history, aim = self.history, self._aim
        losses = history.losses.first(count)
        if aim is not None and aim.log:
            values = losses if aim.mode == "min" else -losses
            known = np.isfinite(values)
            positive = values[known & (values > 0)]
            if len(positive):  # what is not positive counts as the least that is
                logs = np.log(np.maximum(np.where(known, values, 1.0), positive.min()))
                losses = np.where(known, logs if aim.mode == "min" else -logs, math.inf)
        return to_targets(losses, history.resources.first(count), history.trials.first(count))


def fits_of(fits: Sequence[int], index: int, count: int) -> list[int]:
    """Those of all fits that are of the model `index` of `count`: the first, and from then on each in turn."""
    return [fit for number, fit in enumerate(fits) if number == 0 or number % count == index]
