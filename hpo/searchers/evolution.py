"""Regularised evolution (Real et al., "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.events.types import Configuration
from hpo.randomness import Randomness, canonical
from hpo.searchers.base import Searcher
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.space.domains import Domain
from hpo.space.search_space import SearchSpace

TRIES = 100
"""Number of children that may be known configurations before the proposal is random."""


class EvolutionSearcher(Searcher):
    """Regularised evolution: mutates one hyperparameter of the best of a random sample of recent trials.

    The first `population` proposals are random. Trials are compared by their last result: first by how far they violate
    constraints, then by resource (more is better), then by loss. The mutated hyperparameter gets a different value,
    uniform on its scale. Conditional hyperparameters that become used get a uniform value too.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        points_to_evaluate: Configurations to propose first.
        population: Number of latest trials that may become parents; the paper uses 100, for thousands of trials.
        sample: Number of these trials that are compared for one proposal.

    Raises:
        ConfigError: An argument is out of range.
    """

    capabilities = SearcherCapabilities(violations="ranked")

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
        self._trials: dict[str, int] = {}  # number of each trial, by its first result
        self._members: list[tuple[tuple[float, ...], Configuration]] = []  # (order, configuration), lower is better

    def update(self, configuration: Configuration, resource: int, loss: float) -> None:
        """Record a result that consists of a loss alone."""
        self.on_outcome(configuration, resource, ReportOutcome(loss))

    def on_outcome(self, configuration: Configuration, resource: int, outcome: ReportOutcome) -> None:
        """Add a trial to the population, or replace its previous result."""
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
    """Draw a uniform value of a domain that differs from `value`."""
    while (drawn := domain.decode(rng.random())) == value and type(drawn) is type(value):
        pass
    return drawn
