"""The objective that a proposal minimises: a loss, or several losses scalarised with random weights.

Several losses: Paria, Kandasamy & Póczos, "A Flexible Framework for Multi-Objective Bayesian Optimization using Random
Scalarizations" (UAI 2019), with the augmented Chebyshev function of Knowles, "ParEGO" (IEEE Transactions on Evolutionary
Computation 10, 2006). Each proposal has other weights, so that proposals cover different parts of the Pareto front.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from hpo.events.objective import Aim
from hpo.randomness import Randomness
from hpo.surrogate.arrays import Floats
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.gp_fit import factorise
from hpo.surrogate.hypervolume import front_of
from hpo.surrogate.joint_gp import JointGP
from hpo.surrogate.targets import to_targets
from hpo.surrogate.training_data import TrainingData

SUM_WEIGHT = 0.05
"""ParEGO's ρ: weight of the sum of losses next to their maximum, which breaks ties in the worst objective."""


class ProposalObjective(ABC):
    """Base class of objectives that a proposal minimises, modelled at one resource.

    Attributes:
        means: Posterior means at the configurations given to the constructor, shape (n,); lower is better.
    """

    means: Floats

    @abstractmethod
    def drawn(self, x: Floats, exploration: float, rng: np.random.Generator) -> tuple[Floats, float]:
        """Draw a joint sample at encoded configurations, shape (k,), and return it with the typical standard deviation.

        Args:
            x: Encoded configurations, shape (k, columns).
            exploration: Multiplier of the sample's deviations from the mean: 0 for the mean, 1 for a posterior sample.
            rng: Random number generator.

        Raises:
            NumericalError: A covariance matrix could not be factorised.
        """


class SingleLoss(ProposalObjective):
    """A single loss as the objective of a proposal.

    Args:
        model: Surrogate model of the loss.
        fits: Numbers of measurements at which the model is fitted, ascending.
        resource: Resource at which to predict.
        rows: Encoded configurations at which to compute means, shape (n, columns).
    """

    def __init__(self, model: JointGP, fits: Sequence[int], resource: int, rows: Floats) -> None:
        self._posterior, _, self._levels = model.posterior(fits)
        self._resource = resource
        self.means = self._posterior.mean(TrainingData.inputs_at_resource(rows, resource, self._levels))[:, 0]

    def drawn(self, x: Floats, exploration: float, rng: np.random.Generator) -> tuple[Floats, float]:
        """See `ProposalObjective.drawn`."""
        mean, covariance = self._posterior.joint(TrainingData.inputs_at_resource(x, self._resource, self._levels))
        scores = mean[:, 0]
        if exploration:
            factor = factorise(covariance, f"the joint covariance of {len(x)} candidates is not positive definite")
            scores = scores + exploration * (factor @ rng.standard_normal(len(x)))
        return scores, math.sqrt(float(np.diagonal(covariance).mean()))


class ChebyshevScalarisation(ProposalObjective):
    """Several losses scalarised by a weighted, augmented Chebyshev function, as the objective of a proposal.

    Each loss is rescaled from the ideal (0) to the nadir (1) of the Pareto front of the means.

    Args:
        losses: The m losses, with means at the same configurations.
        weights: Weights of the losses, shape (m,), which sum to 1.
    """

    def __init__(self, losses: Sequence[SingleLoss], weights: Floats) -> None:
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
        """See `ProposalObjective.drawn`."""
        draws, spreads = zip(*(loss.drawn(x, exploration, rng) for loss in self._losses), strict=True)
        return self._weigh(np.column_stack(draws)), float(self._weights @ (np.array(spreads) / self._spans))


class ObjectiveModel(JointGP):
    """The surrogate model of one of several objectives, on a log scale if the benchmark asks for it.

    Args:
        encoding: Encoding of configurations.
        randomness: Source of random subsets of the data.
        most: Maximum number of measurements in the model at a fit.
        aim: The objective; None if nothing is known about it.
    """

    def __init__(self, encoding: Encoding, randomness: Randomness, most: int, aim: Aim | None) -> None:
        super().__init__(TrainingData(encoding), randomness, most)
        self._aim = aim

    def _make_targets(self, count: int) -> Floats:
        history, aim = self.history, self._aim
        losses = history.losses.first(count)
        if aim is not None and aim.log:
            values = losses if aim.mode == "min" else -losses
            known = np.isfinite(values)
            positive = values[known & (values > 0)]
            if len(positive):  # values that are not positive count as the smallest positive one
                logs = np.log(np.maximum(np.where(known, values, 1.0), positive.min()))
                losses = np.where(known, logs if aim.mode == "min" else -logs, math.inf)
        return to_targets(losses, history.resources.first(count), history.trials.first(count))


def fits_of_model(fits: Sequence[int], index: int, count: int) -> list[int]:
    """Return the fits of model `index` of `count`: the first fit is for all models, later ones are for each in turn."""
    return [fit for number, fit in enumerate(fits) if number == 0 or number % count == index]
