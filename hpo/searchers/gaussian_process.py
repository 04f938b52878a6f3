"""The searcher of ASHA-GP and BO: a softened posterior draw over few candidates, corrected for cost."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.events.values import Configuration
from hpo.randomness import Randomness
from hpo.searchers.modelled import ModelSearcher
from hpo.space.search_space import SearchSpace
from hpo.surrogate.beliefs import Beliefs
from hpo.surrogate.bounds import BoundModels
from hpo.surrogate.candidates import draw, is_within
from hpo.surrogate.cost import EventClock, NamedCosts, predict_log_cost
from hpo.surrogate.earlier import EarlierData
from hpo.surrogate.kernel import Floats, Integers
from hpo.surrogate.model import JointModel
from hpo.surrogate.sought import OneLoss, Sought
from hpo.surrogate.warm import WarmModel

PRIOR_WEIGHT = 10.0
"""β of Hvarfner et al., "πBO: Augmenting Acquisition Functions with User Beliefs for Bayesian Optimization" (ICLR 2022): a
prior's density counts to the power of β over the number of results."""

ENOUGH_RANKED = 9
"""Trials by which a prior is judged."""

PARENTS = 5
"""Half of the candidates are mutations of so many configurations with the lowest posterior means."""


class GaussianProcessSearcher(ModelSearcher):
    """Few candidates, half of them near the best: enough selection to be good, too little to be all alike.

    Successive halving lives on the best of many cheap trials, and the best of several strongly selected proposals is
    worse than the best of several random ones for a long time. So each proposal is the lowest of `num_candidates` only,
    in a joint draw from the posterior at the maximum resource (Thompson, 1933) whose deviations from the mean are
    multiplied by `exploration`, plus `cost_weight` times the predicted ln(cost per unit of resource). The draw keeps the
    proposals of parallel workers apart, and searches on where low resources mislead the mean.

    Where a user has told priors, their density lowers scores, in units of the posterior's standard deviation and less with
    every result; a quarter of the candidates comes from them. They are passed over as long as the best third of the trials
    lies where they are low.

    Where there are constraints, each has a model of its own and is drawn likewise. Of the candidates whose draws are within
    all bounds the lowest is proposed, or, where there is none, the one that is least beyond them.

    Args:
        space: what is searched.
        randomness: the experiment's streams.
        num_candidates: how many are compared.
        cost_weight: 0 leaves cost out of account. Multiplied by the share that is left of what all trials together may cost,
            where there is such a limit (Lee et al., "Cost-aware Bayesian Optimization", 2020, section 3).
        exploration: 0 is the posterior mean, 1 Thompson sampling.
        **options: of ModelSearcher.

    Raises:
        ConfigError: an argument is out of range.
    """

    learns_from_earlier = True
    takes_box = True

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
        self.model: JointModel = JointModel(self.history, randomness, self.most)
        self._bounds = BoundModels(self.history.encoding, randomness, self.most)
        self._clock = EventClock()
        self._named = NamedCosts()  # in place of the clock where there is a metric for it
        self._beliefs = Beliefs(space, self.history.encoding)

    def learn_from(self, sources: Sequence[EarlierData]) -> None:
        """Let the model learn from earlier experiments."""
        self.model = WarmModel(self.history, self.randomness, self.most, sources)

    def on_outcome(self, configuration: Configuration, resource: int, outcome: ReportOutcome) -> None:
        """A measurement for the model of the loss, and one for that of each constraint."""
        self.history.add(configuration, resource, outcome.loss)
        self._bounds.add(configuration, resource, outcome.excesses, len(self.history))

    def on_pending(self, configuration: Configuration, resource: int) -> None:
        """The trial runs."""
        super().on_pending(configuration, resource)
        self._clock.begin(self.history.trial(configuration))

    def on_report(self, configuration: Configuration, resource: int) -> None:
        """A tick of the clock that costs are told by."""
        self._clock.tick(self.history.trial(configuration))

    def on_cost(self, configuration: Configuration, resource: int, cost: float) -> None:
        """A cost that the user has named."""
        self._named.add(self.history.trial(configuration), resource, cost)

    def _cost_of(self) -> Callable[[Floats], Floats] | None:
        """What cost counts at encoded configurations, in ln(cost per unit of resource); None where it counts nothing."""
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

    def _look(self, fits: Sequence[int], rows: Floats) -> Sought:
        """What a proposal is to be low in, with its means at encoded configurations."""
        return OneLoss(self.model, fits, self.target_resource, rows)

    def _prior_holds(self, ranked: Integers) -> bool:
        """Has the best third of the trials, by the model, a prior density above that of uniform draws?

        Args:
            ranked: numbers of trials, the best first.
        """
        if len(ranked) < ENOUGH_RANKED:
            return True
        best = self.history.rows(ranked[: len(ranked) // 3])
        return float(np.exp(self._beliefs.log_density(best)).mean()) >= 1.0
