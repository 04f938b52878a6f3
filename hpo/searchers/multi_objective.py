"""Multi-objective Bayesian optimisation, the searcher of MO-ASHA-GP and MO-BO: random weights for each proposal."""

from collections.abc import Sequence
from typing import Any

from hpo.events.objective import Aim
from hpo.events.outcome import ReportOutcome
from hpo.events.types import Configuration
from hpo.randomness import Randomness
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.searchers.gaussian_process import GaussianProcessSearcher
from hpo.space.search_space import SearchSpace
from hpo.surrogate.arrays import Floats
from hpo.surrogate.earlier_data import EarlierData
from hpo.surrogate.scalarisation import (
    ChebyshevScalarisation,
    ObjectiveModel,
    ProposalObjective,
    SingleLoss,
    fits_of_model,
)


class MultiObjectiveSearcher(GaussianProcessSearcher):
    """Multi-objective Thompson sampling: a Gaussian process per objective, and new random weights for each proposal.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        aims: Objectives; if none are given, the number of objectives is taken from the first result.
        **options: Arguments of `GaussianProcessSearcher`.
    """

    capabilities = SearcherCapabilities(violations="modelled", objectives=True, box=True)

    def __init__(self, space: SearchSpace, randomness: Randomness, *, aims: Sequence[Aim] = (), **options: Any) -> None:
        super().__init__(space, randomness, **options)
        self._aims = aims
        self._models: list[ObjectiveModel] = []

    def learn_from(self, sources: Sequence[EarlierData]) -> None:
        """Raise NotImplementedError, since the multi-objective model cannot learn from earlier experiments."""
        raise NotImplementedError(f"{type(self).__name__} has no model that learns from earlier experiments")

    def on_outcome(self, configuration: Configuration, resource: int, outcome: ReportOutcome) -> None:
        """Add a result to the models of all objectives and constraints."""
        super().on_outcome(configuration, resource, outcome)
        if not self._models:
            aims: Sequence[Aim | None] = self._aims or [None] * len(outcome.losses)
            encoding = self.history.encoding
            self._models = [ObjectiveModel(encoding, self.randomness, self.most, aim) for aim in aims]
        for model, loss in zip(self._models, outcome.losses, strict=True):
            model.history.add(configuration, resource, loss)

    def _look(self, fits: Sequence[int], rows: Floats) -> ProposalObjective:
        models, resource = self._models, self.target_resource
        weights = self.randomness.stream("weights", self.suggested).standard_exponential(len(models))
        losses = [SingleLoss(m, fits_of_model(fits, k, len(models)), resource, rows) for k, m in enumerate(models)]
        return ChebyshevScalarisation(losses, weights / weights.sum())
