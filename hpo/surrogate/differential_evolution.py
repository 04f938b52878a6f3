"""Differential evolution (Storn & Price, 1997): a child is a parent plus a scaled difference of two others, crossed over."""

from collections.abc import Callable, Sequence

import numpy as np

from hpo.events.types import Configuration
from hpo.space.search_space import SearchSpace
from hpo.surrogate.arrays import Floats
from hpo.surrogate.candidate_points import CandidatePoints

TRIES = 50
"""Number of children that may be known configurations before none is returned; the second half of them is random."""


class DifferentialEvolution:
    """The rand/1/bin variant of differential evolution, on the unit cube.

    A categorical hyperparameter has an interval of [0, 1] for each value, in their order, as in DEHB.

    Args:
        space: Search space without conditional hyperparameters.
        factor: Mutation factor F, by which the difference is multiplied.
        crossover: Probability that a hyperparameter comes from the mutant; at least one always does.
    """

    def __init__(self, space: SearchSpace, factor: float, crossover: float) -> None:
        self._pool, self._factor, self._crossover = CandidatePoints(space), factor, crossover

    def child(
        self,
        rng: np.random.Generator,
        parents: Sequence[Configuration],
        target: Configuration | None,
        is_known: Callable[[Configuration], bool],
    ) -> Configuration | None:
        """Return a new child configuration; None if none was found.

        Args:
            rng: Random number generator.
            parents: At least three configurations.
            target: Configuration that is crossed with the mutant; None for a random parent.
            is_known: Function that tells which configurations to leave out.
        """
        d = len(self._pool.domains)
        for attempt in range(TRIES):
            mixed = attempt < TRIES // 2 and d > 0
            child: Floats = self._cross(rng, parents, target) if mixed else rng.random((d,))
            configuration = self._pool.decode(child)
            if not is_known(configuration):
                return configuration
        return None

    def _cross(
        self, rng: np.random.Generator, parents: Sequence[Configuration], target: Configuration | None
    ) -> Floats:
        d = len(self._pool.domains)
        chosen = [parents[index] for index in rng.choice(len(parents), 3, replace=False).tolist()]
        base, one, other = self._pool.points(chosen)
        mutant = base + self._factor * (one - other)
        mutant = np.where((mutant < 0) | (mutant > 1), rng.random(d), mutant)
        at = self._pool.points([target or parents[int(rng.integers(len(parents)))]])[0]
        crossed = np.less(rng.random(d), self._crossover)
        crossed[rng.integers(d)] = True
        return np.where(crossed, mutant, at)
