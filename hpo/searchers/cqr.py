"""A searcher that models quantiles of the loss (the extra `cqr`), for many results or for noise that is not normal."""

import math
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.types import Configuration
from hpo.randomness import Randomness
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.searchers.model_based import LEAST, ModelSearcher, require_module
from hpo.space.search_space import SearchSpace
from hpo.surrogate.arrays import Floats
from hpo.surrogate.candidate_points import CandidatePoints
from hpo.surrogate.quantile_regression import LEVELS, Quantiles, fit
from hpo.surrogate.single_thread import one_thread
from hpo.surrogate.targets import make_finite, penalise_infeasible, winsorise


class CQRSearcher(ModelSearcher):
    """Conformalised quantile regression with Thompson sampling (Salinas et al., ICML 2023).

    For each of many uniform candidates, a random quantile of its loss is predicted, and the candidate with the lowest is
    proposed. A trial is represented by its last result, which is the one at its highest resource. Trials that violate
    constraints rank behind all others. Results far above the median are clipped. Running trials are ignored, since the
    random draws keep parallel workers apart.

    The model is fitted at fixed numbers of results, with the results that had arrived by then. It therefore depends on
    the log alone and not on when proposals were requested.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        num_candidates: Number of candidates compared for one proposal.
        iterations: Number of trees for each quantile.
        held_out: Fraction of results held out to calibrate the quantiles, once there are more than 32.
        refit: Growth in the number of results, as a fraction, after which the model is fitted again.
        random_fraction: Fraction of proposals that are random.
        **options: Arguments of `ModelSearcher`; all results are used, whatever `max_size_data_for_model` is.

    Raises:
        ConfigError: scikit-learn is not installed, or an argument is out of range.
    """

    capabilities = SearcherCapabilities(priors=False)
    libraries = ("scikit-learn",)

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        num_candidates: int = 2000,
        iterations: int = 50,
        held_out: float = 0.1,
        refit: float = 0.05,
        random_fraction: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(space, randomness, random_fraction=random_fraction, **options)
        require_module(type(self), "sklearn", distribution="scikit-learn", extra="cqr", instead="BO or ASHA-TPE")
        for key, count in (("num_candidates", num_candidates), ("iterations", iterations)):
            if count < 1:
                raise ConfigError(f"method.searcher.{key}={count}: use 1 or more")
        if not 0 < held_out <= 0.5:
            raise ConfigError(f"method.searcher.held_out={held_out}: use a number above 0, and 0.5 at most")
        if refit < 0:
            raise ConfigError(f"method.searcher.refit={refit}: use 0, which fits at every result, or more")
        self.num_candidates, self.iterations = num_candidates, iterations
        self.held_out, self.refit = held_out, refit
        self._pool = CandidatePoints(space)
        self._fitted: tuple[int, Quantiles] | None = None

    def prepare(self) -> None:
        """Import scikit-learn in advance, which takes a second."""
        import sklearn.ensemble  # noqa: F401

        super().prepare()

    def _propose_by_model(self, rng: np.random.Generator) -> Configuration | None:
        points = self._pool.sample(rng, self.num_candidates)
        levels = rng.integers(len(LEVELS), size=len(points))
        with one_thread("sklearn.ensemble"):
            drawn = self._model().predict(self._pool.encode(points), levels)
        return self._pool.first_new(points[drawn.argsort(kind="stable")], self.is_known)

    def _model(self) -> Quantiles:
        count = fitted_at(len(self.history), self.refit)
        if self._fitted is None or self._fitted[0] != count:
            rows, losses = self._last_results(count)
            rng = self.randomness.stream("held out", count)
            self._fitted = count, fit(rows, losses, rng, held_out=self.held_out, iterations=self.iterations)
        return self._fitted[1]

    def _last_results(self, count: int) -> tuple[Floats, Floats]:
        """Return the encoded configuration and last loss of each trial in the first `count` results, by ascending id."""
        history = self.history
        trials, last = history.last_of_each(count)
        losses = penalise_infeasible(history.losses.first()[last], history.violations.first()[last])
        return history.rows(trials), winsorise(make_finite(losses))


def fitted_at(count: int, more: float) -> int:
    """Return the last number of results, at most `count`, at which the model is fitted.

    Args:
        count: Number of results so far, at least LEAST.
        more: Growth between two fits, as a fraction of the number of results; the growth is at least one.
    """
    at = LEAST
    while (following := max(at + 1, math.ceil(round(at * (1 + more), 9)))) <= count:
        at = following
    return at
