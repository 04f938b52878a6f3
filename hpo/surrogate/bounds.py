"""A Gaussian process for each constraint: what is likely to be within its bound.

Eriksson & Poloczek, "Scalable Constrained Bayesian Optimization" (AISTATS 2021): constraints are modelled like the objective,
and candidates compared by joint draws of both. As there, values are compressed on both sides of the bound; as of losses,
the typical change from one resource to the next is taken out, of the bound too.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence

import numpy as np

from hpo.events.values import Configuration
from hpo.randomness import Randomness
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.fit import factorise
from hpo.surrogate.history import GrowingArray, History
from hpo.surrogate.kernel import Floats
from hpo.surrogate.model import JointModel
from hpo.surrogate.targets import align, make_finite

Chances = Callable[[Floats], tuple[Floats, Callable[[], Floats]]]
"""Of encoded rows: the logarithms of the probabilities that they are within a bound, and what computes their gradient."""


class BoundModel(JointModel):
    """The model of one constraint; its history has excesses for losses, which are at most 0 where the bound is met.

    Args:
        encoding: of configurations.
        randomness: decides on subsets.
        most: measurements in the model at a fit.
    """

    def __init__(self, encoding: Encoding, randomness: Randomness, most: int) -> None:
        super().__init__(History(encoding), randomness, most)
        self._counts = GrowingArray(np.intp)  # of all measurements when each of these was made
        self._bound = 0.0

    def add(self, configuration: Configuration, resource: int, excess: float, count: int) -> None:
        """An excess, nan where it is not known, that belongs to the `count`-th of all measurements."""
        if not math.isnan(excess):
            self.history.add(configuration, resource, excess)
            self._counts.append(count)

    def chances(self, resource: int, fits: Sequence[int]) -> "Chances | None":
        """Of being within the bound at a resource; None where nothing is known yet. Arguments as of `violations`.

        Raises:
            NumericalError: a covariance could not be factorised.
        """
        from scipy.special import log_ndtr

        if not (own := self._own_fits(fits)):
            return None
        posterior, _, levels = self.posterior(own)

        def chances(x: Floats) -> tuple[Floats, Callable[[], Floats]]:
            mean, deviation, by_inputs = posterior.predict_with_gradient(self.history.unmeasured(x, resource, levels))
            z = (self._bound - mean[:, 0]) / deviation
            log_share: Floats = log_ndtr(z)

            def slopes() -> Floats:
                hazard = np.exp(-0.5 * z**2 - 0.5 * math.log(2 * math.pi) - log_share) / deviation
                return by_inputs(-hazard[:, None], -hazard * z)

            return log_share, slopes

        return chances

    def _own_fits(self, fits: Sequence[int]) -> list[int]:
        """The numbers of own measurements at numbers of all."""
        return sorted({bisect_left(self._counts.first().tolist(), fit + 1) for fit in fits} - {0})

    def violations(
        self, x: Floats, resource: int, fits: Sequence[int], *, exploration: float, rng: np.random.Generator | None
    ) -> Floats:
        """How far encoded configurations are beyond the bound at a resource, in standard deviations of what is known.

        Args:
            x: shape (n, columns).
            resource: where.
            fits: numbers of all measurements at which hyperparameters are fitted, ascending.
            exploration: how far a joint draw may deviate from the mean: 0 not at all, 1 as far as the posterior says.
            rng: for the draw; None: the mean.

        Raises:
            NumericalError: a covariance could not be factorised.
        """
        if not (own := self._own_fits(fits)):
            return np.zeros(len(x))
        posterior, _, levels = self.posterior(own)
        where = self.history.unmeasured(x, resource, levels)
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
        # What is not finite breaks the bound, even where all that is finite meets it.
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


class BoundModels:
    """The models of all constraints of a search. Arguments as of BoundModel."""

    def __init__(self, encoding: Encoding, randomness: Randomness, most: int) -> None:
        self._of = encoding, randomness, most
        self._models: list[BoundModel] = []

    def add(self, configuration: Configuration, resource: int, excesses: Sequence[float], count: int) -> None:
        """The excesses of the `count`-th of all measurements."""
        if not self._models:
            self._models = [BoundModel(*self._of) for _ in excesses]
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
        """Of all constraints together, shape (n,); arguments as of `BoundModel.violations`."""
        total = np.zeros(len(x))
        for model in self._models:
            total += model.violations(x, resource, fits, exploration=exploration, rng=rng)
        return total.round(9)

    def chances(self, resource: int, fits: Sequence[int]) -> Chances:
        """Of meeting all constraints, as if they were independent; arguments as of `BoundModel.chances`."""
        models = [one for model in self._models if (one := model.chances(resource, fits)) is not None]

        def chances(x: Floats) -> tuple[Floats, Callable[[], Floats]]:
            found = [one(x) for one in models]
            total = sum((value for value, _ in found), np.zeros(len(x)))
            return total, lambda: sum((slopes() for _, slopes in found), np.zeros_like(x))

        return chances
