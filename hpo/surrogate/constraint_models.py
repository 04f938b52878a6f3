"""Constraint models: a Gaussian process for each constraint, which predicts whether its bound is satisfied.

Eriksson & Poloczek, "Scalable Constrained Bayesian Optimization" (AISTATS 2021): constraints are modelled like the
objective, and candidates are compared by joint samples of both. As there, values are compressed on both sides of the bound.
As for losses, the typical change from one resource to the next is removed, here from the bound too.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence

import numpy as np

from hpo.events.types import Configuration
from hpo.randomness import Randomness
from hpo.surrogate.arrays import Floats
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.gp_fit import factorise
from hpo.surrogate.joint_gp import JointGP
from hpo.surrogate.targets import align, make_finite
from hpo.surrogate.training_data import GrowingArray, TrainingData

Chances = Callable[[Floats], tuple[Floats, Callable[[], Floats]]]
"""A function of encoded configurations that returns log probabilities of feasibility and a function for their gradient."""


class ConstraintModel(JointGP):
    """Gaussian process model of one constraint, fitted to excesses, which are at most 0 if the bound is satisfied.

    Args:
        encoding: Encoding of configurations.
        randomness: Source of random subsets of the data.
        most: Maximum number of measurements in the model at a fit.
    """

    def __init__(self, encoding: Encoding, randomness: Randomness, most: int) -> None:
        super().__init__(TrainingData(encoding), randomness, most)
        self._counts = GrowingArray(np.intp)  # number of all measurements at the time of each
        self._bound = 0.0

    def add(self, configuration: Configuration, resource: int, excess: float, count: int) -> None:
        """Add a measured excess over the bound (nan: unknown); `count` is the number of all measurements so far."""
        if not math.isnan(excess):
            self.history.add(configuration, resource, excess)
            self._counts.append(count)

    def chances(self, resource: int, fits: Sequence[int]) -> "Chances | None":
        """Return a function for the log probability of satisfying the bound at a resource; None without measurements.

        Arguments as of `violations`.

        Raises:
            NumericalError: A covariance matrix could not be factorised.
        """
        from scipy.special import log_ndtr

        if not (own := self._own_fits(fits)):
            return None
        posterior, _, levels = self.posterior(own)

        def chances(x: Floats) -> tuple[Floats, Callable[[], Floats]]:
            mean, deviation, by_inputs = posterior.predict_with_gradient(
                self.history.inputs_at_resource(x, resource, levels)
            )
            z = (self._bound - mean[:, 0]) / deviation
            log_share: Floats = log_ndtr(z)

            def slopes() -> Floats:
                hazard = np.exp(-0.5 * z**2 - 0.5 * math.log(2 * math.pi) - log_share) / deviation
                return by_inputs(-hazard[:, None], -hazard * z)

            return log_share, slopes

        return chances

    def _own_fits(self, fits: Sequence[int]) -> list[int]:
        """Convert numbers of all measurements into the numbers of this model's own measurements at the same time."""
        return sorted({bisect_left(self._counts.first().tolist(), fit + 1) for fit in fits} - {0})

    def violations(
        self, x: Floats, resource: int, fits: Sequence[int], *, exploration: float, rng: np.random.Generator | None
    ) -> Floats:
        """Return how far encoded configurations exceed the bound at a resource, in standard deviations of its values.

        Args:
            x: Encoded configurations, shape (n, columns).
            resource: Resource at which to predict.
            fits: Numbers of all measurements at which the model is fitted, ascending.
            exploration: Multiplier of a joint sample's deviations from the mean: 0 for the mean, 1 for a posterior sample.
            rng: Random number generator for the sample; None for the mean.

        Raises:
            NumericalError: A covariance matrix could not be factorised.
        """
        if not (own := self._own_fits(fits)):
            return np.zeros(len(x))
        posterior, _, levels = self.posterior(own)
        where = self.history.inputs_at_resource(x, resource, levels)
        if rng is None:
            values = posterior.mean(where)[:, 0]
        else:
            mean, covariance = posterior.joint(where)
            factor = factorise(covariance, f"the joint covariance of {len(x)} candidates is not positive definite")
            values = mean[:, 0] + exploration * (factor @ rng.standard_normal(len(x)))
        return np.maximum(values - self._bound, 0.0)

    def _make_targets(self, count: int) -> Floats:
        history = self.history
        excesses = history.losses.first(count)
        known = make_finite(excesses)
        # Values that are not finite violate the bound, even if all finite ones satisfy it.
        known = np.where(np.isfinite(excesses), known, np.maximum(known, 1.0))
        compressed = np.sign(known) * np.log1p(np.abs(known))
        resources = history.resources.first(count)
        aligned = align(compressed, resources, history.trials.first(count))
        middle = float(aligned.mean())
        spread = float(aligned.std())
        if spread <= 1e-12:
            spread = 1.0
        top = int(np.argmax(resources))
        self._bound = (float(aligned[top] - compressed[top]) - middle) / spread
        targets: Floats = (aligned - middle) / spread
        return targets


class ConstraintModels:
    """The models of all constraints of an experiment; arguments as of `ConstraintModel`."""

    def __init__(self, encoding: Encoding, randomness: Randomness, most: int) -> None:
        self._of = encoding, randomness, most
        self._models: list[ConstraintModel] = []

    def add(self, configuration: Configuration, resource: int, excesses: Sequence[float], count: int) -> None:
        """Add the measured excesses over all bounds; `count` is the number of all measurements so far."""
        if not self._models:
            self._models = [ConstraintModel(*self._of) for _ in excesses]
        for model, excess in zip(self._models, excesses, strict=True):
            model.add(configuration, resource, excess, count)

    def violations(
        self,
        x: Floats,
        resource: int,
        fits: Sequence[int],
        *,
        exploration: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> Floats:
        """Return the violations summed over all constraints, shape (n,); arguments as of `ConstraintModel.violations`."""
        total = np.zeros(len(x))
        for model in self._models:
            total += model.violations(x, resource, fits, exploration=exploration, rng=rng)
        return total.round(9)

    def chances(self, resource: int, fits: Sequence[int]) -> Chances:
        """Return a function for the log probability of satisfying all constraints, treated as independent.

        Arguments as of `ConstraintModel.chances`.
        """
        models = [one for model in self._models if (one := model.chances(resource, fits)) is not None]

        def chances(x: Floats) -> tuple[Floats, Callable[[], Floats]]:
            found = [one(x) for one in models]
            total = sum((value for value, _ in found), np.zeros(len(x)))
            return total, lambda: sum((slopes() for _, slopes in found), np.zeros_like(x))

        return chances
