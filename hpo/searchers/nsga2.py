"""NSGA-II, a multi-objective genetic algorithm, in a steady-state form that proposes one trial at a time.

Deb, Pratap, Agarwal & Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II" (IEEE Transactions on
Evolutionary Computation 6, 2002). There are no generations: the parents of a proposal are the best of all results so far.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.events.types import Configuration
from hpo.randomness import Randomness
from hpo.searchers.base import Searcher
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.space.search_space import SearchSpace
from hpo.surrogate.pareto import crowding, dominates, front_ranks

TRIES = 100
"""Number of children that may be known configurations before the proposal is random."""


class NSGA2Searcher(Searcher):
    """NSGA-II: random configurations first, then children of two parents that each won a binary tournament.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        points_to_evaluate: Configurations to propose first.
        population_size: Number of results that may become parents, and number of initial random configurations.
        crossover_probability: Probability that a child takes values from both parents.
        swap_probability: Probability that a value is then taken from the second parent.
        mutation_probability: Probability that a hyperparameter gets a random value; None for one per child on average.

    Raises:
        ConfigError: An argument is out of range.
    """

    capabilities = SearcherCapabilities(violations="no parents", objectives=True)

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        population_size: int = 50,
        crossover_probability: float = 0.9,
        swap_probability: float = 0.5,
        mutation_probability: float | None = None,
    ) -> None:
        super().__init__(space, randomness, points_to_evaluate=points_to_evaluate)
        if population_size < 2:
            raise ConfigError(f"method.searcher.population_size={population_size}: use 2 or more")
        chances = {"crossover": crossover_probability, "swap": swap_probability, "mutation": mutation_probability}
        for name, value in chances.items():
            if value is not None and not 0 <= value <= 1:
                raise ConfigError(f"method.searcher.{name}_probability={value}: use a number from 0 to 1")
        self.population_size = population_size
        self.crossover_probability, self.swap_probability = crossover_probability, swap_probability
        self.mutation_probability = 1 / len(space) if mutation_probability is None else mutation_probability
        # Results that may become parents, in order of arrival: configuration, losses, and how many others dominate it.
        self._known: list[Configuration] = []
        self._losses = np.zeros((0, 0))
        self._violations = np.zeros(0)
        self._dominating = np.zeros(0, dtype=np.intp)
        self._ranked: list[Configuration] | None = None

    def update(self, configuration: Configuration, resource: int, loss: float) -> None:
        """Record the result of a completed trial that has a single objective."""
        self.on_outcome(configuration, resource, ReportOutcome(loss))

    def on_outcome(self, configuration: Configuration, resource: int, outcome: ReportOutcome) -> None:
        """Record the result of a completed trial.

        A result that is dominated by as many others as there are parents can never become a parent again and is dropped.
        """
        losses, violation = np.array([outcome.losses]), np.array([outcome.violation])
        known = self._losses.reshape(len(self._known), losses.shape[1])
        worse = dominates(losses, violation, known, self._violations)[0]
        better = dominates(known, self._violations, losses, violation)[:, 0]
        self._dominating = np.append(self._dominating + worse, better.sum())
        kept = self._dominating < self.population_size
        self._known = [one for one, keep in zip([*self._known, configuration], kept.tolist(), strict=True) if keep]
        self._losses = np.concatenate((known, losses))[kept]
        self._violations = np.append(self._violations, violation)[kept]
        self._dominating = self._dominating[kept]
        self._ranked = None

    def parents(self) -> list[Configuration]:
        """Return the best configurations, ordered by non-dominated front and, within a front, by crowding distance."""
        if self._ranked is None:
            ranks = front_ranks(self._losses, self._violations, self.population_size)
            spaces = np.zeros(len(ranks))
            for rank in range(ranks.max(initial=-1) + 1):
                front = np.flatnonzero(ranks == rank)
                if np.isfinite(self._losses[front]).all():
                    spaces[front] = crowding(self._losses[front])
            order = np.lexsort((-spaces, ranks))[: self.population_size]  # stable: ties go to the earlier result
            self._ranked = [self._known[index] for index in order]
        return self._ranked

    def _next(self) -> Configuration | None:
        parents = self.parents()
        if self.own < self.population_size or len(parents) < 2:
            return self.draw_new("initial", prior=True)
        rng = self.randomness.stream("nsga2", self.own)
        for _ in range(TRIES):
            child = self._child(parents, rng)
            if not self.is_known(child):
                return child
        return self.draw_new("initial")

    def _child(self, parents: Sequence[Configuration], rng: np.random.Generator) -> Configuration:
        first, second = (parents[min(rng.integers(len(parents), size=2).tolist())] for _ in range(2))
        crossed = rng.random() < self.crossover_probability
        fresh = self._values(rng)
        values = {}
        swapped, mutated = rng.random((2, len(self.space))).tolist()
        for number, name in enumerate(self.space.domains):
            takes_second = crossed and swapped[number] < self.swap_probability
            parent = second if takes_second else first
            keeps = mutated[number] >= self.mutation_probability and name in parent
            values[name] = parent[name] if keeps else fresh[name]
        return self.space.used(values)

    def _values(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw a uniform value for every hyperparameter, whether it is used or not."""
        units = rng.random(len(self.space)).tolist()
        pairs = zip(self.space.domains.items(), units, strict=True)
        return {name: domain.decode(unit) for (name, domain), unit in pairs}
