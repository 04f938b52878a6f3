"""The searcher of ASHA-GP and BO: the lowest posterior mean among few candidates, corrected for cost."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.randomness import Randomness
from hpo.searchers.modelled import ModelSearcher
from hpo.space import SearchSpace
from hpo.surrogate.candidates import draw
from hpo.surrogate.cost import predict_log_cost
from hpo.surrogate.fit import factorise
from hpo.surrogate.history import History
from hpo.surrogate.kernel import Floats, Inputs
from hpo.surrogate.model import JointModel
from hpo.surrogate.posterior import NumericalError
from hpo.trial import Configuration

PARENTS = 5


class GaussianProcessSearcher(ModelSearcher):
    """Few candidates, half of them near the best: enough selection to be good, too little to be all alike.

    Successive halving lives on the best of many cheap trials, and the best of several strongly selected proposals is
    worse than the best of several random ones for a long time. So each proposal is the best of `num_candidates` only,
    by posterior mean at the maximum resource plus `cost_weight` times the predicted ln(cost per unit of resource).

    Args:
        space: what is searched.
        randomness: the experiment's streams.
        num_candidates: how many are compared.
        cost_weight: 0 leaves cost out of account.
        **options: of ModelSearcher.

    Raises:
        ConfigError: an argument is out of range.
    """

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        max_resource: int | None = None,
        max_size_data_for_model: int = 500,
        random_fraction: float = 0.1,
        num_candidates: int = 20,
        cost_weight: float = 0.5,
        exploration: float = 0.0,
        mutants: float = 0.5,
        parents: int = 5,
    ) -> None:
        super().__init__(
            space,
            randomness,
            points_to_evaluate=points_to_evaluate,
            max_resource=max_resource,
            max_size_data_for_model=max_size_data_for_model,
            random_fraction=random_fraction,
        )
        if num_candidates < 2:
            raise ConfigError(f"method.searcher.num_candidates={num_candidates}: use 2 or more")
        self.num_candidates = num_candidates
        self.cost_weight = cost_weight
        self.exploration, self.mutants, self.parents = exploration, mutants, parents
        self.model = JointModel(self.history, randomness, max_size_data_for_model)

    def _propose_by_model(self, rng: np.random.Generator) -> Configuration | None:
        posterior, _, levels = self.model.posterior(self._fits_now())
        trials = np.unique(self.history.trials(len(self.history)))
        means = posterior.mean(self._at_end(self.history.rows(trials.tolist()), levels))[:, 0]
        best = [self.history.configurations[trials[i]] for i in np.argsort(means, kind="stable")[: self.parents]]
        candidates = draw(self.space, rng, best, self.num_candidates, self.is_known, share=self.mutants)
        if not candidates:
            return None
        x = self.history.encoding.encode(candidates)
        where = self._at_end(x, levels)
        if self.exploration:
            mean, covariance = posterior.joint(where)
            factor = factorise(covariance)
            if factor is None:
                raise NumericalError(f"the joint covariance of {len(x)} candidates is not positive definite")
            scores = mean[:, 0] + self.exploration * (factor @ rng.standard_normal(len(x)))
        else:
            scores = posterior.mean(where)[:, 0]
        if self.cost_weight:
            scores = scores + self.cost_weight * predict_log_cost(*self.history.log_costs(), x)
        return candidates[int(np.argmin(np.round(scores, 9)))]

    def _at_end(self, x: Floats, levels: Sequence[int]) -> Inputs:
        resources = np.full(len(x), self.target_resource, dtype=np.intp)
        return History.inputs(x, resources, np.full(len(x), -1, dtype=np.intp), levels)
