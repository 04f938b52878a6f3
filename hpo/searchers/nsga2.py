"""NSGA-II, one trial at a time.

Deb, Pratap, Agarwal & Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II" (IEEE Transactions on
Evolutionary Computation 6, 2002). Without generations: the parents of a proposal are the best of all results so far.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.events.values import Configuration
from hpo.randomness import Randomness
from hpo.searchers.base import Searcher
from hpo.space.search_space import SearchSpace
from hpo.surrogate.domination import crowding, dominates, front_ranks

TRIES = 100
"""Children of which each is known already, before a random configuration takes their place."""


class NSGA2Searcher(Searcher):
    """Random configurations first; then children of two parents, each of which has won against another of the best.

    Args:
        space: what is searched.
        randomness: the experiment's streams.
        points_to_evaluate: the first configurations.
        population_size: so many results may be parents, and so many configurations are random.
        crossover_probability: how often a child has values of both parents.
        swap_probability: how often each of them is then the second parent's.
        mutation_probability: how often a hyperparameter gets a random value; None: one of them in a child on average.

    Raises:
        ConfigError: an argument is out of range.
    """

    takes_objectives = True

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
        # Results that may be among the best, in the order they came: of each the configuration and how many dominate it.
        self._known: list[Configuration] = []
        self._losses = np.zeros((0, 0))
        self._violations = np.zeros(0)
        self._dominating = np.zeros(0, dtype=np.intp)
        self._ranked: list[Configuration] | None = None

    def update(self, configuration: Configuration, resource: int, loss: float) -> None:
        """The only objective of a complete trial."""
        self.on_outcome(configuration, resource, ReportOutcome(loss))

    def on_outcome(self, configuration: Configuration, resource: int, outcome: ReportOutcome) -> None:
        """The result of a complete trial.

        What as many others dominate as there are parents is never one again, and is forgotten.
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
        """The best results, best first: by front, and in one front those that are least crowded."""
        if self._ranked is None:
            ranks = front_ranks(self._losses, self._violations, self.population_size)
            spaces = np.zeros(len(ranks))
            for rank in range(ranks.max(initial=-1) + 1):
                front = np.flatnonzero(ranks == rank)
                if np.isfinite(self._losses[front]).all():
                    spaces[front] = crowding(self._losses[front])
            order = np.lexsort((-spaces, ranks))[: self.population_size]  # of equal ones the earlier, for it is stable
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
        """A uniform value of every hyperparameter, used or not."""
        units = rng.random(len(self.space)).tolist()
        pairs = zip(self.space.domains.items(), units, strict=True)
        return {name: domain.decode(unit) for (name, domain), unit in pairs}
