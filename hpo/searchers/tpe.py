"""Searchers that compare two density estimates, of good and of other configurations: TPE, and the base class of BOHB's."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.types import Configuration
from hpo.randomness import Randomness
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.searchers.model_based import ModelSearcher
from hpo.space.search_space import SearchSpace
from hpo.surrogate.arrays import Flags, Floats, Integers
from hpo.surrogate.earlier_data import EarlierData, agreement
from hpo.surrogate.parzen import DensityEstimator, Mixture, Observations, age_weights
from hpo.surrogate.training_data import GrowingArray
from hpo.surrogate.warm_start_gp import ENOUGH, MOST_JUDGED

ROUNDS = 3
"""Number of times that candidates are drawn again if all are known, before the proposal is uniform."""

EARLIER_WEIGHT = 0.25
"""Weight of a trial of an earlier experiment; squared if a hyperparameter that is not tuned now had another value."""


class DensitySearcher(ModelSearcher):
    """Base class of searchers that propose the candidate with the largest ratio of two densities: good over other trials.

    The candidates are few, and drawn from the density estimate of the good trials.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        num_candidates: Number of candidates compared for one proposal.
        share: Fraction of the results that count as good.
        **options: Arguments of `ModelSearcher`.

    Raises:
        ConfigError: An argument is out of range.
    """

    def __init__(
        self, space: SearchSpace, randomness: Randomness, *, num_candidates: int, share: float, **options: Any
    ) -> None:
        super().__init__(space, randomness, **options)
        if num_candidates < 1:
            raise ConfigError(f"method.searcher.num_candidates={num_candidates}: use 1 or more")
        if not 0 < share < 1:
            raise ConfigError(f"method.searcher.share={share}: use a number between 0 and 1")
        self.num_candidates, self.share = num_candidates, share
        self._estimates = DensityEstimator(space)
        self._points = GrowingArray(np.float64, len(self._estimates.pool.domains))

    @abstractmethod
    def _mixtures(self) -> tuple[Mixture, Mixture, Mixture]:
        """Return three densities: the one that candidates are drawn from, and the estimates for good and for other trials."""

    def _propose_by_model(self, rng: np.random.Generator) -> Configuration | None:
        source, good, others = self._mixtures()
        for _ in range(ROUNDS):
            points, used = source.draw(rng, self.num_candidates)
            scores = others.log_density(points, used) - good.log_density(points, used)
            for index in np.round(scores, 9).argsort(kind="stable"):
                configuration = self._estimates.pool.decode(points[index])
                if not self.is_known(configuration):
                    return configuration
        return None

    def _observed(self, trials: Integers, weights: Floats) -> Observations:
        """Return observations of this experiment's trials, given their ids and weights."""
        configurations = self.history.configurations
        for point in self._estimates.pool.points(configurations[len(self._points) :]):
            self._points.append(point)
        points = self._points.first()[trials]
        return Observations(points, self._used(points), weights)

    def _used(self, points: Floats) -> Flags:
        activity = self._estimates.pool.activity
        return np.ones(points.shape, dtype=bool) if activity is None else activity.used(points)

    def _waiting(self) -> list[int]:
        """Return the ids of running trials that have no result yet."""
        measured = set(self.history.trials.first().tolist())
        return [trial for trial in self.history.pending if trial not in measured]


class TPESearcher(DensitySearcher):
    """Multivariate tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011; Falkner et al., ICML 2018).

    The good trials are the best `share`, at most `most_good`. A trial is represented by its last result. Trials are
    compared first by how far they violate constraints, then by resource (more is better), then by loss; a diverged trial
    is the worst. Running trials without a result count as not good, which keeps parallel workers apart. Candidates are
    drawn from the estimate of the good trials. The first `startup` results are those of random configurations.

    Trials of earlier experiments come before this experiment's own, at most `max_size_data_for_model` from each
    experiment, which is split into good and other trials by itself. An earlier experiment is left out if its estimates
    rank this experiment's results in the wrong order, judged at the resource that has most of them.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        num_candidates: Number of candidates compared for one proposal.
        share: Fraction of the trials that count as good.
        most_good: Maximum number of good trials.
        startup: Number of trials with a result before the estimates are used.
        **options: Arguments of `ModelSearcher`.

    Raises:
        ConfigError: An argument is out of range.
    """

    capabilities = SearcherCapabilities(violations="split", earlier_results=True)

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        num_candidates: int = 24,
        share: float = 0.1,
        most_good: int = 25,
        startup: int = 10,
        random_fraction: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(
            space, randomness, num_candidates=num_candidates, share=share, random_fraction=random_fraction, **options
        )
        for key, value in (("most_good", most_good), ("startup", startup)):
            if value < 1:
                raise ConfigError(f"method.searcher.{key}={value}: use 1 or more")
        self.most_good, self.startup = most_good, startup
        self._sources: list[_Source] = []

    def learn_from(self, sources: Sequence[EarlierData]) -> None:
        """Let the density estimates learn from results of earlier experiments."""
        self._sources = [self._source_of(data) for data in sources if len(data.losses) > 1]

    def _uses_model(self) -> bool:
        return super()._uses_model() and (bool(self._sources) or len(self.history.tried()) >= self.startup)

    def _mixtures(self) -> tuple[Mixture, Mixture, Mixture]:
        good, others = self.split()
        others = np.sort(np.concatenate((others, np.array(self._waiting(), dtype=np.intp))))
        sources = [source for source in self._sources if not self._misleads(source)]
        best, rest = (
            self._estimates.parzen(
                concatenate([*(s.parts[part] for s in sources), self._observed(trials, age_weights(len(trials)))])
            )
            for part, trials in enumerate((good, others))
        )
        return best, best, rest

    def split(self) -> tuple[Integers, Integers]:
        """Return the ids of the good trials and of the others, of those that have a result, each ascending."""
        tried, kept = self.history.last_of_each()
        return self._parted(
            tried,
            self.history.losses.first()[kept],
            self.history.resources.first()[kept],
            self.history.violations.first()[kept],
        )

    def _parted(
        self, trials: Integers, losses: Floats, resources: Integers, violations: Floats
    ) -> tuple[Integers, Integers]:
        """Split trials into good and other ones by their last results."""
        order = np.lexsort((trials, losses, -resources, violations, ~np.isfinite(losses)))
        count = min(math.ceil(self.share * len(trials)), self.most_good)
        return np.sort(trials[order[:count]]), np.sort(trials[order[count:]])

    def _source_of(self, data: EarlierData) -> "_Source":
        """Build the density estimates of an earlier experiment from the last results of its latest trials."""
        last = dict(list({trial: index for index, trial in enumerate(data.trials)}.items())[-self.most :])
        trials, index = np.array(list(last), dtype=np.intp), list(last.values())
        losses, resources = np.array(data.losses)[index], np.array(data.resources, dtype=np.intp)[index]
        weights = np.zeros(len(data.configurations))
        weights[trials] = np.where(np.array(data.certain)[index], EARLIER_WEIGHT, EARLIER_WEIGHT**2)
        points = self._estimates.pool.points(data.configurations)
        used = self._used(points)
        parts = [
            Observations(points[part], used[part], weights[part] * age_weights(len(part)))
            for part in self._parted(trials, losses, resources, np.zeros(len(trials)))
        ]
        good, others = (self._estimates.parzen(part) for part in parts)
        return _Source(good, others, parts)

    def _misleads(self, source: "_Source") -> bool:
        """Whether the estimates of an earlier experiment rank this experiment's results in the wrong order."""
        resources, losses = self.history.resources.first(), self.history.losses.first()
        most = max(
            self.history.levels(len(self.history)), key=lambda level: (np.count_nonzero(resources == level), level)
        )
        here = np.flatnonzero((resources == most) & np.isfinite(losses))[-MOST_JUDGED:]
        own = self._observed(self.history.trials.first()[here], np.ones(len(here)))
        predicted = source.others.log_density(own.points, own.used) - source.good.log_density(own.points, own.used)
        return len(here) >= ENOUGH and agreement(predicted, losses[here]) < 0


@dataclass(frozen=True)
class _Source:
    """The density estimates of an earlier experiment, and the observations that they were built from."""

    good: Mixture
    others: Mixture
    parts: Sequence[Observations]


def concatenate(parts: Sequence[Observations]) -> Observations:
    """Concatenate observations in the given order."""
    return Observations(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.used for part in parts]),
        np.concatenate([part.weights for part in parts]),
    )
