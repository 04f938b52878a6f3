"""Searchers that compare two density estimates, of the good configurations and of the others: TPE, and that of BOHB."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.values import Configuration
from hpo.randomness import Randomness
from hpo.searchers.modelled import ModelSearcher
from hpo.space.search_space import SearchSpace
from hpo.surrogate.activity import Flags
from hpo.surrogate.earlier import EarlierData, agreement
from hpo.surrogate.history import GrowingArray
from hpo.surrogate.kernel import Floats, Integers
from hpo.surrogate.parzen import Estimates, Mixture, Observed, age_weights
from hpo.surrogate.warm import ENOUGH, MOST_JUDGED

ROUNDS = 3
"""So often candidates are drawn again where all are known, before the proposal is uniform."""

EARLIER_WEIGHT = 0.25
"""Of an observation of an earlier experiment; again where something else was tuned too."""


class DensitySearcher(ModelSearcher):
    """Proposes, of few candidates drawn from the estimate of the good ones, that with the largest ratio of the two densities.

    Args:
        space: what is searched.
        randomness: the experiment's streams.
        num_candidates: how many are compared.
        share: of the results, the good ones.
        **options: of ModelSearcher.

    Raises:
        ConfigError: an argument is out of range.
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
        self._estimates = Estimates(space)
        self._points = GrowingArray(np.float64, len(self._estimates.pool.domains))

    @abstractmethod
    def _mixtures(self) -> tuple[Mixture, Mixture, Mixture]:
        """Where candidates come from, and the estimates of the good ones and of the others."""

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

    def _observed(self, trials: Integers, weights: Floats) -> Observed:
        """Own trials, by their numbers."""
        configurations = self.history.configurations
        for point in self._estimates.pool.points(configurations[len(self._points) :]):
            self._points.append(point)
        points = self._points.first()[trials]
        return Observed(points, self._used(points), weights)

    def _used(self, points: Floats) -> Flags:
        activity = self._estimates.pool.activity
        return np.ones(points.shape, dtype=bool) if activity is None else activity.used(points)

    def _waiting(self) -> list[int]:
        """Trials that run and have no result."""
        measured = set(self.history.trials.first().tolist())
        return [trial for trial in self.history.pending if trial not in measured]


class TPESearcher(DensitySearcher):
    """Tree-structured Parzen estimator, multivariate (Bergstra et al., NeurIPS 2011; Falkner et al., ICML 2018).

    The good ones are the best `share` of the trials, and `most_good` at most. A trial counts by its last result: first by
    how far it breaks constraints, then by its resource, the more the better, then by its loss; one that diverged is worst.
    Trials that run and have no result are among the others, which keeps parallel workers apart. Candidates come from the
    estimate of the good ones. The first `startup` results are of random configurations.

    Trials of earlier experiments stand before the own ones, each source split by itself, `max_size_data_for_model` of each at
    most. One whose estimates order the own results at the resource with most of them the wrong way round is left out.

    Args:
        space: what is searched.
        randomness: the experiment's streams.
        num_candidates: how many are compared.
        share: of the trials, the good ones.
        most_good: and at most so many.
        startup: trials with a result before the estimates are used.
        **options: of ModelSearcher.

    Raises:
        ConfigError: an argument is out of range.
    """

    learns_from_earlier = True

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
        """Let the estimates learn from earlier experiments."""
        self._sources = [self._source_of(data) for data in sources if len(data.losses) > 1]

    def _uses_model(self) -> bool:
        return super()._uses_model() and (bool(self._sources) or len(self.history.tried()) >= self.startup)

    def _mixtures(self) -> tuple[Mixture, Mixture, Mixture]:
        good, others = self.split()
        others = np.sort(np.concatenate((others, np.array(self._waiting(), dtype=np.intp))))
        sources = [source for source in self._sources if not self._misleads(source)]
        best, rest = (
            self._estimates.parzen(
                joined([*(s.parts[part] for s in sources), self._observed(trials, age_weights(len(trials)))])
            )
            for part, trials in enumerate((good, others))
        )
        return best, best, rest

    def split(self) -> tuple[Integers, Integers]:
        """Numbers of the trials with a result, ascending: the good ones, and the others."""
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
        """The good ones and the others of some trials, by their last results."""
        order = np.lexsort((trials, losses, -resources, violations, ~np.isfinite(losses)))
        count = min(math.ceil(self.share * len(trials)), self.most_good)
        return np.sort(trials[order[:count]]), np.sort(trials[order[count:]])

    def _source_of(self, data: EarlierData) -> "_Source":
        """Its trials, the latest of them, by their last results."""
        last = dict(list({trial: index for index, trial in enumerate(data.trials)}.items())[-self.most :])
        trials, index = np.array(list(last), dtype=np.intp), list(last.values())
        losses, resources = np.array(data.losses)[index], np.array(data.resources, dtype=np.intp)[index]
        weights = np.zeros(len(data.configurations))
        weights[trials] = np.where(np.array(data.certain)[index], EARLIER_WEIGHT, EARLIER_WEIGHT**2)
        points = self._estimates.pool.points(data.configurations)
        used = self._used(points)
        parts = [
            Observed(points[part], used[part], weights[part] * age_weights(len(part)))
            for part in self._parted(trials, losses, resources, np.zeros(len(trials)))
        ]
        good, others = (self._estimates.parzen(part) for part in parts)
        return _Source(good, others, parts)

    def _misleads(self, source: "_Source") -> bool:
        """Does it order the own results the wrong way round?"""
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
    """An earlier experiment: its estimates, and what they were made from."""

    good: Mixture
    others: Mixture
    parts: Sequence[Observed]


def joined(parts: Sequence[Observed]) -> Observed:
    """One after the other."""
    return Observed(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.used for part in parts]),
        np.concatenate([part.weights for part in parts]),
    )
