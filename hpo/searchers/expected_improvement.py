"""Searchers that maximise expected improvement: MOBSTER, its variant with independent models, and Hyper-Tune."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from hpo.events.values import Configuration
from hpo.randomness import Randomness
from hpo.searchers.modelled import ModelSearcher
from hpo.space.search_space import SearchSpace
from hpo.surrogate.acquisition import log_expected_improvement
from hpo.surrogate.independent import IndependentModel, Level
from hpo.surrogate.kernel import Floats
from hpo.surrogate.model import JointModel
from hpo.surrogate.pool import Pool
from hpo.surrogate.ranking import ranking_weights

FANTASIES = 20
"""Joint draws of what the running trials will bring; the improvement is averaged over them."""

PARENTS, ROUNDS, NEIGHBOURS = 5, 2, 8
"""Candidates come from mutations of so many; the best candidates are then climbed from in rounds.

A third round takes 10 % longer and gains nothing: regret on 16 tables, 10 seeds, differs by .00 ± .01."""

ENOUGH = 3
"""A resource is modelled well enough to acquire at from so many measurements."""


class ExpectedImprovementSearcher(ModelSearcher):
    """Proposes the configuration with the largest expected improvement among many, climbed from there.

    Args:
        space: what is searched.
        randomness: the experiment's streams.
        random_fraction: how many proposals are random all the same.
        num_candidates: how many are compared before the climb.
        **options: of ModelSearcher.
    """

    takes_priors = False

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
        self._pool = Pool(space)
        self._make_model()

    @abstractmethod
    def _make_model(self) -> None:
        """Called once, when all arguments are known."""

    @abstractmethod
    def _prepare(self, rng: np.random.Generator) -> None:
        """Bring the model up to date."""

    @abstractmethod
    def _predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Means, shape (n, samples), and standard deviations, shape (n,), of what is to be improved."""

    @abstractmethod
    def _means(self, x: Floats) -> Floats:
        """The means alone, which cost less."""

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
        """Logarithm of the expected improvement, its mean taken over the fantasies, shape (n,)."""
        mean, deviation = self._predict(self._pool.encode(points))
        values = log_expected_improvement(mean, deviation[:, None], incumbents)
        top = values.max(axis=1)
        values -= top[:, None]
        scores: Floats = top + np.log(np.exp(values, out=values).mean(axis=1))
        return scores.round(9)

    def _acquisition_resource(self) -> int:
        """The largest resource with enough measurements, else the smallest."""
        resources = self.history.resources.first(len(self.history))
        levels = self.history.levels(len(self.history))
        return next((r for r in reversed(levels) if np.count_nonzero(resources == r) >= ENOUGH), levels[0])


class MOBSTERSearcher(ExpectedImprovementSearcher):
    """A joint Gaussian process over configuration and resource, improvement at the largest resource known well.

    Klein et al., "Model-based Asynchronous Hyperparameter and Neural Architecture Search" (2020), section 4; kernel over
    resources, priors and target transforms as in hpo.surrogate. Arguments as of ExpectedImprovementSearcher.
    """

    def _make_model(self) -> None:
        self._model = JointModel(self.history, self.randomness, self.most)

    def _prepare(self, rng: np.random.Generator) -> None:
        posterior, targets, self._levels = self._model.posterior(self._fits_now())
        self._resource = self._acquisition_resource()
        running = self.history.running(self._levels)
        self._posterior = posterior.fantasise(running, targets, rng.standard_normal((len(running), FANTASIES)))

    def _predict(self, x: Floats) -> tuple[Floats, Floats]:
        return self._posterior.predict(self.history.unmeasured(x, self._resource, self._levels))

    def _means(self, x: Floats) -> Floats:
        return self._posterior.mean(self.history.unmeasured(x, self._resource, self._levels))


class IndependentSearcher(ExpectedImprovementSearcher):
    """A Gaussian process for each resource, improvement at the largest one known well (MOBSTER-INDEP).

    The "independent" surrogate of Klein et al. (2020), section 4.2. Arguments as of ExpectedImprovementSearcher.
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
            mean, deviation = posterior.predict(self.history.unmeasured(x, resource, levels))
            means += weight * (mean + centre)
            variance += (weight * deviation) ** 2
        return means, np.sqrt(variance)

    def _means(self, x: Floats) -> Floats:
        means = np.zeros((len(x), FANTASIES))
        for weight, posterior, centre, resource, levels in self._parts:
            means += weight * (posterior.mean(self.history.unmeasured(x, resource, levels)) + centre)
        return means

    def _weights(self, levels: Sequence[Level]) -> list[float]:
        """How much each resource's model counts: all of it the highest one's with enough measurements, else the lowest."""
        enough = [index for index, level in enumerate(levels) if len(level.targets) >= ENOUGH]
        chosen = enough[-1] if enough else 0
        return [float(index == chosen) for index in range(len(levels))]


class HyperTuneSearcher(IndependentSearcher):
    """As IndependentSearcher, with the models of all resources weighted by how well they rank the highest one's results.

    Li et al., "Hyper-Tune: Towards Efficient Hyper-parameter Tuning at Scale" (VLDB 2022), sections 4.1 and 4.2: learned
    weights of the surrogates, and of the brackets of the scheduler. Arguments as of ExpectedImprovementSearcher.
    """

    def _weights(self, levels: Sequence[Level]) -> list[float]:
        return ranking_weights(levels, self.randomness.stream("hypertune", len(self.history)))

    def bracket_weights(self, levels: Sequence[int]) -> list[float] | None:
        """How often a new trial should start at each of `levels`, in proportion to weight / resource.

        None until there are weights for more than one resource: the scheduler's own distribution holds until then.
        """
        if not self._uses_model():
            return None
        try:
            from hpo.surrogate.threads import one_thread

            with one_thread():
                models = self._model.levels(self._fits_now())
                weights = dict(zip((m.resource for m in models), self._weights(models), strict=True))
        except ArithmeticError:  # reported when a configuration is proposed by the same model
            return None
        shares = [weights.get(level, 0.0) / level for level in levels]
        total = math.fsum(shares)
        if total <= 0 or sum(share > 0 for share in shares) < 2:
            return None
        return [share / total for share in shares]
