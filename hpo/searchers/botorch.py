"""Bayesian optimisation with BoTorch's models and acquisition functions (the extra `botorch`).

A proposal takes a tenth of a second or more; `hpo.searchers.GaussianProcessSearcher` takes milliseconds.
"""

from typing import Any

import numpy as np

from hpo.events.types import Configuration
from hpo.randomness import Randomness
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.searchers.model_based import ModelSearcher, require_module
from hpo.space.search_space import SearchSpace
from hpo.surrogate.arrays import Floats
from hpo.surrogate.candidates import draw
from hpo.surrogate.targets import to_targets

PARENTS = 5
SAMPLES = 64


class BoTorchSearcher(ModelSearcher):
    """Bayesian optimisation by BoTorch: proposes the candidate with the largest qLogExpectedImprovement.

    Running trials are passed as pending points. The model is a SingleTaskGP with BoTorch's own priors over the encoded
    configuration and the logarithm of the resource. It is fitted again for each proposal.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        random_fraction: Fraction of proposals that are random.
        num_candidates: Number of candidates compared for one proposal.
        **options: Arguments of `ModelSearcher`.

    Raises:
        ConfigError: BoTorch is not installed, or an argument is out of range.
    """

    capabilities = SearcherCapabilities(priors=False, constraints=False)
    libraries = ("botorch", "gpytorch", "torch")

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        random_fraction: float = 0.0,
        num_candidates: int = 250,
        **options: Any,
    ) -> None:
        super().__init__(space, randomness, random_fraction=random_fraction, **options)
        require_module(type(self), "botorch", distribution="botorch", extra="botorch", instead="BO")
        self.num_candidates = num_candidates

    def _propose_by_model(self, rng: np.random.Generator) -> Configuration | None:
        import torch
        from botorch.acquisition.logei import qLogExpectedImprovement
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from botorch.sampling.normal import SobolQMCNormalSampler
        from gpytorch.mlls import ExactMarginalLogLikelihood

        history = self.history
        recent = slice(max(len(history) - self.most, 0), None)
        trials, resources = history.trials.first(len(history))[recent], history.resources.first(len(history))[recent]
        targets = to_targets(history.losses.first(len(history))[recent], resources, trials)
        x = torch.from_numpy(self._columns(history.rows(trials.tolist()), resources))
        y = torch.from_numpy(-targets[:, None])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))
            model = SingleTaskGP(x, y)
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
            best = [history.configurations[trials[i]] for i in np.argsort(targets, kind="stable")[:PARENTS]]
            candidates = draw(self.space, rng, best, self.num_candidates, self.is_known)
            if not candidates:
                return None
            encoded = history.encoding.encode(candidates)
            where = torch.from_numpy(self._columns(encoded, np.full(len(candidates), self.target_resource)))
            acquisition = qLogExpectedImprovement(
                model,
                best_f=float(-targets.min()),
                sampler=SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=int(rng.integers(2**31))),
                X_pending=self._pending(),
            )
            with torch.no_grad():
                values = acquisition(where[:, None, :]).numpy()
        return candidates[int(np.argmax(values))]

    def _pending(self) -> Any:
        import torch

        pending = self.history.pending
        if not pending:
            return None
        return torch.from_numpy(self._columns(self.history.rows(list(pending)), np.array(list(pending.values()))))

    def _columns(self, x: Floats, resources: Any) -> Floats:
        """Return encoded configurations with log resource, scaled to [0, 1], as last column; shape (n, columns + 1)."""
        most = max(self.target_resource, 2)
        return np.column_stack((x, np.log(resources) / np.log(most)))
