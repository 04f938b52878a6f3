"""The searcher of ASHA-GP and base of BO's: Thompson sampling over few candidates, with an optional cost term."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.events.types import Configuration
from hpo.randomness import Randomness
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.searchers.model_based import ModelSearcher
from hpo.space.search_space import SearchSpace
from hpo.surrogate.arrays import Floats, Integers
from hpo.surrogate.candidates import draw, is_within
from hpo.surrogate.constraint_models import ConstraintModels
from hpo.surrogate.cost import EventClock, ReportedCosts, UnsmoothedCosts, predict_log_cost
from hpo.surrogate.earlier_data import EarlierData
from hpo.surrogate.joint_gp import JointGP
from hpo.surrogate.prior_density import PriorDensity
from hpo.surrogate.scalarisation import ProposalObjective, SingleLoss
from hpo.surrogate.warm_start_gp import WarmStartGP

PRIOR_WEIGHT = 10.0
"""Exponent of a prior's density times the number of results, so that the influence of a prior fades as results arrive.

It is β of Hvarfner et al., "πBO: Augmenting Acquisition Functions with User Beliefs for Bayesian Optimization" (ICLR
2022).
"""

ENOUGH_RANKED = 9
"""Number of trials needed to judge whether a user's prior agrees with the results."""

PARENTS = 5
"""Number of configurations with the lowest posterior means, of which half of the candidates are mutations."""


class GaussianProcessSearcher(ModelSearcher):
    """Thompson sampling with a Gaussian process over few candidates, half of which are near the best configurations.

    Successive halving profits from the best of many cheap trials. For a long time, the best of several strongly selected
    proposals is worse than the best of several random ones, because the former are alike. Each proposal is therefore the
    best of only `num_candidates`. Candidates are compared by a joint sample from the posterior at the maximum resource
    (Thompson, 1933), whose deviations from the mean are multiplied by `exploration`, plus `cost_weight` times the
    predicted ln(cost per unit of resource). The sample keeps the proposals of parallel workers apart, and keeps exploring
    if results at low resources mislead the mean.

    A user's priors lower the scores by their log density, in units of the posterior's standard deviation and less with
    every result. A quarter of the candidates is drawn from the priors. Priors are ignored while the best third of the
    trials lies where they are low.

    Each constraint has a model of its own that is sampled likewise. Of the candidates whose samples satisfy all
    constraints, the best is proposed; if there is none, the candidate with the smallest violation.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        num_candidates: Number of candidates compared for one proposal.
        cost_weight: Weight of the predicted log cost; 0 ignores costs. If the total cost is limited, it is multiplied by the
            remaining fraction of the limit (Lee et al., "Cost-aware Bayesian Optimization", 2020, section 3).
        exploration: Multiplier of the sample's deviations; 0 for the posterior mean, 1 for Thompson sampling.
        **options: Arguments of `ModelSearcher`.

    Raises:
        ConfigError: An argument is out of range.
    """

    capabilities = SearcherCapabilities(violations="modelled", box=True, earlier_results=True)

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        num_candidates: int = 50,
        cost_weight: float = 0.5,
        exploration: float = 0.7,
        **options: Any,
    ) -> None:
        super().__init__(space, randomness, **options)
        if num_candidates < 2:
            raise ConfigError(f"method.searcher.num_candidates={num_candidates}: use 2 or more")
        if exploration < 0:
            raise ConfigError(f"method.searcher.exploration={exploration}: use 0 or more")
        self.num_candidates = num_candidates
        self.cost_weight = cost_weight
        self.exploration = exploration
        self.model: JointGP = JointGP(self.history, randomness, self.most)
        self._bounds = ConstraintModels(self.history.encoding, randomness, self.most)
        self._clock = EventClock()
        self._named = ReportedCosts()  # used instead of the clock if costs are reported
        self._beliefs = PriorDensity(space, self.history.encoding)

    def learn_from(self, sources: Sequence[EarlierData]) -> None:
        """Let the surrogate model learn from results of earlier experiments."""
        self.model = WarmStartGP(self.history, self.randomness, self.most, sources)

    def on_outcome(self, configuration: Configuration, resource: int, outcome: ReportOutcome) -> None:
        """Add a result to the model of the loss and to the models of the constraints."""
        self.history.add(configuration, resource, outcome.loss)
        self._bounds.add(configuration, resource, outcome.excesses, len(self.history))

    def on_pending(self, configuration: Configuration, resource: int) -> None:
        """Record that a trial is training up to `resource`, and start counting its cost."""
        super().on_pending(configuration, resource)
        self._clock.begin(self.history.trial(configuration))

    def on_report(self, configuration: Configuration, resource: int) -> None:
        """Count the report as a tick of the clock from which costs are estimated."""
        self._clock.tick(self.history.trial(configuration))

    def on_cost(self, configuration: Configuration, resource: int, cost: float) -> None:
        """Record what a trial has cost up to a resource, which replaces the clock's estimate of costs."""
        self._named.add(self.history.trial(configuration), resource, cost)

    def _cost_of(self) -> Callable[[Floats], Floats] | None:
        """Return a function that gives the cost term of encoded configurations; None if cost has no weight."""
        weight = self.cost_weight * self.cost_left
        if not weight:
            return None
        trials, costs = (self._named or self._clock).log_costs()
        known = self.history.rows(trials)
        return lambda x: weight * predict_log_cost(known, costs, x)

    def _propose_by_model(self, rng: np.random.Generator) -> Configuration | None:
        fits = self._fits_now()
        tried = self.history.tried()
        rows = self.history.rows(tried)
        sought = self._look(fits, rows)
        means = np.round(sought.means, 9)
        order = np.lexsort((means, self._bounds.violations(rows, self.target_resource, fits)))[:PARENTS]
        best = [self.history.configurations[tried[i]] for i in order]
        believed = bool(self.space.priors) and self._prior_holds(tried[np.argsort(means, kind="stable")])
        area = self.area
        parents = best if area is self.space else [one for one in best if is_within(area, one)]
        candidates = draw(area, rng, parents, self.num_candidates, self.is_known, prior=believed)
        if not candidates:
            return None
        x = self.history.encoding.encode(candidates)
        scores, spread = sought.drawn(x, self.exploration, rng)
        if believed:
            scores = scores - spread * PRIOR_WEIGHT / len(self.history) * self._beliefs.log_density(x)
        if (cost := self._cost_of()) is not None:
            scores = scores + cost(x)
        beyond = self._bounds.violations(x, self.target_resource, fits, exploration=self.exploration, rng=rng)
        return candidates[int(np.lexsort((np.round(scores, 9), beyond))[0])]

    def _look(self, fits: Sequence[int], rows: Floats) -> ProposalObjective:
        """Return the objective that a proposal minimises, with its posterior means at the given encoded configurations."""
        return SingleLoss(self.model, fits, self.target_resource, rows)

    def _prior_holds(self, ranked: Integers) -> bool:
        """Whether the best third of the trials has at least the mean prior density of uniform draws, or trials are few.

        Args:
            ranked: Ids of the trials, the best by posterior mean first.
        """
        if len(ranked) < ENOUGH_RANKED:
            return True
        best = self.history.rows(ranked[: len(ranked) // 3])
        return float(np.exp(self._beliefs.log_density(best)).mean()) >= 1.0


class TimedSearcher(GaussianProcessSearcher):
    """GaussianProcessSearcher with unsmoothed costs; if no costs are reported, both propose the same.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        **options: Arguments of `GaussianProcessSearcher`.
    """

    def __init__(self, space: SearchSpace, randomness: Randomness, **options: Any) -> None:
        super().__init__(space, randomness, **options)
        self._named = UnsmoothedCosts()
