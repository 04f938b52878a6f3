"""The searcher of BO: expected improvement, optimised along its gradient, for trials that all run to their end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.types import Configuration
from hpo.randomness import Randomness
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.searchers.gaussian_process import PARENTS, PRIOR_WEIGHT, GaussianProcessSearcher
from hpo.space.search_space import SearchSpace
from hpo.surrogate.acquisition import climb, log_expected_improvement, log_improvement_slopes
from hpo.surrogate.arrays import Floats
from hpo.surrogate.candidate_points import CandidatePoints
from hpo.surrogate.constraint_models import Chances
from hpo.surrogate.earlier_data import EarlierData
from hpo.surrogate.joint_gp import JointGP
from hpo.surrogate.kernel import Inputs
from hpo.surrogate.posterior import Posterior
from hpo.surrogate.warm_start_gp import WarmStartGP

FANTASIES = 8
"""Number of joint posterior samples of pending results over which the expected improvement is averaged."""

WORK = 30_000
"""Approximate limit on the number of candidates times the number of results, which bounds the time of a proposal."""

ROUNDS, NEIGHBOURS = 2, 4
"""Local search over hyperparameters with discrete steps: number of rounds, and of mutations of each parent in a round."""

STARTS, ITERATIONS = 3, 8
"""Gradient search over continuous hyperparameters: number of starting candidates, and maximum number of iterations."""

STEP = 1e-4
"""Step of the finite differences, in [0, 1] units, for terms of the acquisition function without an analytic gradient."""


class ImprovementSearcher(GaussianProcessSearcher):
    """Bayesian optimisation that maximises expected improvement as precisely as possible.

    Few candidates and losses turned into ranks suit successive halving. If every trial runs to its end, they are a
    hindrance: the minimum of a smooth function is found by its values. This model therefore uses standardised losses, and
    its noise may vanish. The acquisition function is the logarithm of the expected improvement (Ament et al., 2023) over
    the lowest posterior mean of the tried configurations. It is maximised along its gradient from the best of many
    candidates. Pending trials are treated as measured, with joint samples of their results, over which the improvement is
    averaged (Snoek et al., "Practical Bayesian Optimization of Machine Learning Algorithms", NeurIPS 2012, section 3.2).

    Constraints multiply the improvement by the probability that they are satisfied (Gardner et al., "Bayesian
    Optimization with Inequality Constraints", ICML 2014, section 3.1). A user's priors multiply it by their density to
    the power of β divided by the number of results (πBO), as long as the results agree with them.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        num_candidates: Number of candidates compared before the gradient search; fewer if there are many results.
        cost_weight: Weight of the predicted ln(cost per unit of resource) against the log improvement; see
            `GaussianProcessSearcher`.
        random_fraction: Fraction of proposals that are random.
        **options: Arguments of `ModelSearcher`.

    Raises:
        ConfigError: An argument is out of range.
    """

    capabilities = SearcherCapabilities(violations="modelled", earlier_results=True)

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        num_candidates: int = 300,
        cost_weight: float = 0.0,
        random_fraction: float = 0.0,
        **options: Any,
    ) -> None:
        if "exploration" in options:
            raise ConfigError(
                f"method.searcher.exploration={options['exploration']}: ImprovementSearcher has none; remove it, or use "
                f"hpo.searchers.GaussianProcessSearcher"
            )
        super().__init__(
            space,
            randomness,
            num_candidates=num_candidates,
            cost_weight=cost_weight,
            random_fraction=random_fraction,
            **options,
        )
        self.model = JointGP(self.history, randomness, self.most, exact=True)
        self._pool = CandidatePoints(space)

    def learn_from(self, sources: Sequence[EarlierData]) -> None:
        """Let the surrogate model learn from results of earlier experiments."""
        self.model = WarmStartGP(self.history, self.randomness, self.most, sources, exact=True)

    def _propose_by_model(self, rng: np.random.Generator) -> Configuration | None:
        fits = self._fits_now()
        known, targets, levels = self.model.posterior(fits)
        running = self.history.running(levels)
        posterior = known.fantasise(running, targets, rng.standard_normal((len(running), FANTASIES)))
        tried = self.history.tried()
        rows = self.history.rows(tried)
        means = self.model.means_of(tried, self.target_resource, posterior, levels)
        beyond = self._bounds.violations(rows, self.target_resource, fits)
        typical = means.mean(axis=1).round(9)
        ranked = np.lexsort((typical, beyond))
        feasible = means[beyond == 0]
        acquisition = _Acquisition(
            posterior=posterior,
            incumbents=feasible.min(axis=0) if len(feasible) else None,
            where=lambda x: self.history.inputs_at_resource(x, self.target_resource, levels),
            chances=self._bounds.chances(self.target_resource, fits),
            besides=self._prior_and_cost_terms(
                believed=bool(self.space.priors) and self._prior_holds(tried[np.argsort(typical)])
            ),
        )
        parents = self._pool.points([self.history.configurations[tried[i]] for i in ranked[:PARENTS]])
        return self._pool.first_new(self._search(rng, acquisition, parents), self.is_known)

    def _prior_and_cost_terms(self, *, believed: bool) -> Callable[[Floats], Floats] | None:
        """Return a function that gives the acquisition's prior and cost terms at encoded configurations, or None."""
        cost = self._cost_of()
        if not believed and cost is None:
            return None

        def besides(x: Floats) -> Floats:
            total = np.zeros(len(x))
            if believed:
                total += PRIOR_WEIGHT / len(self.history) * self._beliefs.log_density(x)
            if cost is not None:
                total -= cost(x)
            return total

        return besides

    def _search(self, rng: np.random.Generator, acquisition: "_Acquisition", parents: Floats) -> Floats:
        """Return candidate points of the unit cube, those with the highest acquisition value first.

        Args:
            rng: Random number generator.
            acquisition: Acquisition function to maximise.
            parents: Points with good results; half of the candidates are mutations of them.
        """
        pool = self._pool
        count = min(self.num_candidates, max(WORK // len(self.history), self.num_candidates // 10, 2))
        near = pool.mutate(rng, parents[np.arange(count // 2) % len(parents)])
        points = np.concatenate((pool.sample(rng, count - len(near)), near))
        scores = acquisition.values(pool.encode(points))

        def add(more: Floats) -> None:
            nonlocal points, scores
            points = np.concatenate((points, more))
            scores = np.concatenate((scores, acquisition.values(pool.encode(more))))

        for _ in range(ROUNDS if pool.mixed else 0):
            best = (-scores).argsort(kind="stable")[:PARENTS]
            add(pool.mutate(rng, points[best.repeat(NEIGHBOURS)]))
        if pool.smooth:
            best = (-scores).argsort(kind="stable")[:STARTS]
            add(climb(pool, points[best], acquisition.with_gradient, iterations=ITERATIONS))
        return points[(-scores).argsort(kind="stable")]


@dataclass(frozen=True)
class _Acquisition:
    """The acquisition function of BO: log expected improvement, plus log probability of feasibility, plus other terms.

    Attributes:
        posterior: Posterior given the results and samples of the pending ones.
        incumbents: Best value to improve on, for each sample, shape (s,). None if no tried configuration is feasible; then
            only the probability of feasibility counts.
        where: Function that turns encoded configurations into model inputs at the target resource.
        chances: Function that gives the log probability of feasibility of encoded configurations.
        besides: Function that gives prior and cost terms, added to the total; None if there are none.
    """

    posterior: Posterior
    incumbents: Floats | None
    where: Callable[[Floats], Inputs]
    chances: Chances
    besides: Callable[[Floats], Floats] | None

    def values(self, x: Floats) -> Floats:
        """Return the rounded acquisition values of encoded configurations, shape (n,)."""
        total, _ = self.chances(x)
        if self.incumbents is not None:
            mean, deviation = self.posterior.predict(self.where(x))
            total = total + _log_mean(log_expected_improvement(mean, deviation[:, None], self.incumbents))[0]
        if self.besides is not None:
            total = total + self.besides(x)
        return total.round(9)

    def with_gradient(self, x: Floats) -> tuple[Floats, Floats]:
        """Return acquisition values that are not rounded, and their gradient by encoded configuration, shape (n, columns)."""
        total, slopes_of_chances = self.chances(x)
        slopes = slopes_of_chances()
        if self.incumbents is not None:
            mean, deviation, by_inputs = self.posterior.predict_with_gradient(self.where(x))
            spread = deviation[:, None]
            each = log_expected_improvement(mean, spread, self.incumbents)
            logs, shares = _log_mean(each)
            by_mean, by_deviation = log_improvement_slopes(mean, spread, self.incumbents, logs=each)
            total = total + logs
            slopes = slopes + by_inputs(shares * by_mean, (shares * by_deviation).sum(axis=1))
        if self.besides is not None:
            total = total + self.besides(x)
            steps = STEP * np.eye(x.shape[1])
            around = np.concatenate((x[:, None] + steps, x[:, None] - steps))
            up, down = self.besides(around.reshape(-1, x.shape[1])).reshape(2, *x.shape)
            slopes = slopes + (up - down) / (2 * STEP)
        return total, slopes


def _log_mean(logs: Floats) -> tuple[Floats, Floats]:
    """Return the logarithm of the mean of exp(logs) in each row, and the share of each element in its row's sum."""
    top = logs.max(axis=1, keepdims=True)
    parts = np.exp(logs - top)
    sums = parts.sum(axis=1, keepdims=True)
    return (top + np.log(sums / logs.shape[1]))[:, 0], parts / sums
