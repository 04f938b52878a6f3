"""Regularised evolution (Real et al., "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.events.values import Configuration
from hpo.randomness import Randomness, canonical
from hpo.searchers.base import Searcher
from hpo.space.domains import Domain
from hpo.space.search_space import SearchSpace

TRIES = 100
"""Children of one proposal that may be known, before it is random."""


class EvolutionSearcher(Searcher):
    """Changes one hyperparameter of the best of a few, taken at random from the latest trials with a result.

    The first `population` proposals are random. The best is, by its last result, the one that is least beyond constraints,
    then furthest trained, then of the lowest loss. The changed hyperparameter gets another value, uniformly on its scale,
    and so does what comes into use by that.

    Args:
        space: what is searched.
        randomness: the experiment's streams.
        points_to_evaluate: the first configurations.
        population: how many of the latest trials are looked at; the paper has 100, for thousands of trials.
        sample: how many of them are compared for one proposal.

    Raises:
        ConfigError: an argument is out of range.
    """

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        population: int = 20,
        sample: int = 10,
    ) -> None:
        super().__init__(space, randomness, points_to_evaluate=points_to_evaluate)
        if population < 2:
            raise ConfigError(f"method.searcher.population={population}: use 2 or more")
        if not 1 <= sample <= population:
            raise ConfigError(f"method.searcher.sample={sample}: use 1 to {population}, the population")
        self.population, self.sample = population, sample
        self._trials: dict[str, int] = {}  # number of each that has a result, in the order of the first ones
        self._members: list[tuple[tuple[float, ...], Configuration]] = []  # what is compared, lower is better

    def update(self, configuration: Configuration, resource: int, loss: float) -> None:
        """A result where nothing but the loss counts."""
        self.on_outcome(configuration, resource, ReportOutcome(loss))

    def on_outcome(self, configuration: Configuration, resource: int, outcome: ReportOutcome) -> None:
        """The trial is of the population, or remains there, by this result."""
        number = self._trials.setdefault(canonical(configuration), len(self._members))
        order = (float(math.isinf(outcome.loss)), outcome.violation, -float(resource), outcome.loss, float(number))
        self._members[number : number + 1] = [(order, configuration)]

    def _next(self) -> Configuration | None:
        alive = self._members[-self.population :]
        if self.own < self.population or len(alive) < self.sample:
            return self.draw_new("initial", prior=True)
        rng = self.randomness.stream("rea", self.suggested)
        for _ in range(TRIES):
            chosen = rng.choice(len(alive), self.sample, replace=False)
            child = self._child(min(alive[i] for i in chosen.tolist())[1], rng)
            if not self.is_known(child):
                return child
        return self.draw_new("initial")

    def _child(self, parent: Configuration, rng: np.random.Generator) -> Configuration:
        names = [name for name, domain in self.space.domains.items() if domain.size > 1 and name in parent]
        units = rng.random(len(self.space)).tolist()
        fresh = {name: d.decode(unit) for (name, d), unit in zip(self.space.domains.items(), units, strict=True)}
        if not names:
            return parent
        changed = names[int(rng.integers(len(names)))]
        other = _another(self.space.domains[changed], parent[changed], rng)
        return self.space.used({**fresh, **parent, changed: other})


def _another(domain: Domain, value: Any, rng: np.random.Generator) -> Any:
    """A uniform value that is another one."""
    while (drawn := domain.decode(rng.random())) == value and type(drawn) is type(value):
        pass
    return drawn
