"""Searchers that maximise expected improvement at one resource: MOBSTER, MOBSTER-INDEP and Hyper-Tune."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from hpo.events.types import Configuration
from hpo.randomness import Randomness
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.searchers.model_based import ModelSearcher
from hpo.space.search_space import SearchSpace
from hpo.surrogate.acquisition import log_expected_improvement
from hpo.surrogate.arrays import Floats
from hpo.surrogate.candidate_points import CandidatePoints
from hpo.surrogate.fidelity_weights import ranking_weights
from hpo.surrogate.independent_gp import IndependentModel, ResourceModel
from hpo.surrogate.joint_gp import JointGP

FANTASIES = 20
"""Number of joint posterior samples of pending results over which the expected improvement is averaged."""

PARENTS, ROUNDS, NEIGHBOURS = 5, 2, 8
"""Local search for the best candidate: numbers of parents, of rounds, and of mutations per parent in a round.

A third round takes 10 % longer and gains nothing: regret on 16 tabular benchmarks with 10 seeds differs by 0.00 ± 0.01.
"""

ENOUGH = 3
"""Number of results that a resource must have for the expected improvement to be computed there."""


class ExpectedImprovementSearcher(ModelSearcher):
    """Base class of searchers that propose the candidate with the largest expected improvement, refined by local search.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        random_fraction: Fraction of proposals that are random.
        num_candidates: Number of candidates compared before the local search.
        **options: Arguments of `ModelSearcher`.
    """

    capabilities = SearcherCapabilities(priors=False)

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        random_fraction: float = 0.0,
        num_candidates: int = 200,
        **options: Any,
    ) -> None:
        super().__init__(space, randomness, random_fraction=random_fraction, **options)
        self.num_candidates = num_candidates
        self._pool = CandidatePoints(space)
        self._make_model()

    @abstractmethod
    def _make_model(self) -> None:
        """Create the surrogate model; called once, at the end of the constructor."""

    @abstractmethod
    def _prepare(self, rng: np.random.Generator) -> None:
        """Update the posterior with the results so far and with samples of pending results."""

    @abstractmethod
    def _predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Return posterior means, shape (n, samples), and standard deviations, shape (n,), of the loss that is minimised."""

    @abstractmethod
    def _means(self, x: Floats) -> Floats:
        """Return the posterior means alone, shape (n, samples), which cost less than `_predict`."""

    def _propose_by_model(self, rng: np.random.Generator) -> Configuration | None:
        self._prepare(rng)
        tried = self.history.tried()
        means = self._means(self.history.rows(tried))
        incumbents = means.min(axis=0)
        order = means.mean(axis=1).round(9).argsort(kind="stable")[:PARENTS]
        parents = self._pool.points([self.history.configurations[tried[i]] for i in order])
        near = self._pool.mutate(rng, parents[np.arange(self.num_candidates // 2) % len(parents)])
        points = np.concatenate((self._pool.sample(rng, self.num_candidates - len(near)), near))
        scores = self._score(points, incumbents)
        for _ in range(ROUNDS):
            best = (-scores).argsort(kind="stable")[:PARENTS]
            near = self._pool.mutate(rng, points[best.repeat(NEIGHBOURS)])
            points = np.concatenate((points, near))
            scores = np.concatenate((scores, self._score(near, incumbents)))
        return self._pool.first_new(points[(-scores).argsort(kind="stable")], self.is_known)

    def _score(self, points: Floats, incumbents: Floats) -> Floats:
        """Return the logarithm of the expected improvement, averaged over samples of pending results; shape (n,)."""
        mean, deviation = self._predict(self._pool.encode(points))
        values = log_expected_improvement(mean, deviation[:, None], incumbents)
        top = values.max(axis=1)
        values -= top[:, None]
        scores: Floats = top + np.log(np.exp(values, out=values).mean(axis=1))
        return scores.round(9)

    def _acquisition_resource(self) -> int:
        """Return the resource to compute the expected improvement at: the highest with enough results, else the lowest."""
        resources = self.history.resources.first(len(self.history))
        levels = self.history.levels(len(self.history))
        return next((r for r in reversed(levels) if np.count_nonzero(resources == r) >= ENOUGH), levels[0])


class MOBSTERSearcher(ExpectedImprovementSearcher):
    """MOBSTER: a joint Gaussian process over configuration and resource, with expected improvement.

    The improvement is computed at the highest resource with enough results. Klein et al., "Model-based Asynchronous
    Hyperparameter and Neural Architecture Search" (2020), section 4; kernel over resources, priors and target transforms
    as in hpo.surrogate. Arguments as of `ExpectedImprovementSearcher`.
    """

    def _make_model(self) -> None:
        self._model = JointGP(self.history, self.randomness, self.most)

    def _prepare(self, rng: np.random.Generator) -> None:
        posterior, targets, self._levels = self._model.posterior(self._fits_now())
        self._resource = self._acquisition_resource()
        running = self.history.running(self._levels)
        self._posterior = posterior.fantasise(running, targets, rng.standard_normal((len(running), FANTASIES)))

    def _predict(self, x: Floats) -> tuple[Floats, Floats]:
        return self._posterior.predict(self.history.inputs_at_resource(x, self._resource, self._levels))

    def _means(self, x: Floats) -> Floats:
        return self._posterior.mean(self.history.inputs_at_resource(x, self._resource, self._levels))


class IndependentSearcher(ExpectedImprovementSearcher):
    """MOBSTER-INDEP: an independent Gaussian process for each resource, with expected improvement.

    The improvement is computed at the highest resource with enough results. This is the "independent" surrogate model of
    Klein et al. (2020), section 4.2. Arguments as of `ExpectedImprovementSearcher`.
    """

    def _make_model(self) -> None:
        self._model = IndependentModel(self.history, self.randomness, self.most)

    def _prepare(self, rng: np.random.Generator) -> None:
        fits = self._fits_now()
        levels, resources = self._model.levels(fits), self._model.hyperparameters(fits)[2]
        running = self.history.running(resources)
        self._parts: list[tuple[float, Any, float, int, list[int]]] = []
        for level, weight in zip(levels, self._weights(levels), strict=True):
            if weight > 0:
                here = running.take(np.flatnonzero(running.level == level.number))
                normals = rng.standard_normal((len(here), FANTASIES))
                posterior = level.posterior.fantasise(here, level.targets, normals)
                self._parts.append((weight, posterior, level.centre, level.resource, resources))

    def _predict(self, x: Floats) -> tuple[Floats, Floats]:
        means, variance = np.zeros((len(x), FANTASIES)), np.zeros(len(x))
        for weight, posterior, centre, resource, levels in self._parts:
            mean, deviation = posterior.predict(self.history.inputs_at_resource(x, resource, levels))
            means += weight * (mean + centre)
            variance += (weight * deviation) ** 2
        return means, np.sqrt(variance)

    def _means(self, x: Floats) -> Floats:
        means = np.zeros((len(x), FANTASIES))
        for weight, posterior, centre, resource, levels in self._parts:
            means += weight * (posterior.mean(self.history.inputs_at_resource(x, resource, levels)) + centre)
        return means

    def _weights(self, levels: Sequence[ResourceModel]) -> list[float]:
        """Return a weight per resource: 1 for the highest one with enough results (else the lowest), 0 for the others."""
        enough = [index for index, level in enumerate(levels) if len(level.targets) >= ENOUGH]
        chosen = enough[-1] if enough else 0
        return [float(index == chosen) for index in range(len(levels))]


class HyperTuneSearcher(IndependentSearcher):
    """Hyper-Tune: independent models per resource, weighted by how well they rank results at the highest resource.

    Li et al., "Hyper-Tune: Towards Efficient Hyper-parameter Tuning at Scale" (VLDB 2022), sections 4.1 and 4.2: learned
    weights of the surrogate models and of the scheduler's brackets. Arguments as of `ExpectedImprovementSearcher`.
    """

    def _weights(self, levels: Sequence[ResourceModel]) -> list[float]:
        return ranking_weights(levels, self.randomness.stream("hypertune", len(self.history)))

    def bracket_weights(self, levels: Sequence[int]) -> list[float] | None:
        """Return the probabilities of starting a new trial at each of several rungs, in proportion to weight / resource.

        Return None until at least two resources have a weight; the scheduler's own probabilities apply until then.
        """
        if not self._uses_model():
            return None
        try:
            from hpo.surrogate.single_thread import one_thread

            with one_thread():
                models = self._model.levels(self._fits_now())
                weights = dict(zip((m.resource for m in models), self._weights(models), strict=True))
        except ArithmeticError:  # logged when the same model proposes a configuration
            return None
        shares = [weights.get(level, 0.0) / level for level in levels]
        total = math.fsum(shares)
        if total <= 0 or sum(share > 0 for share in shares) < 2:
            return None
        return [share / total for share in shares]
