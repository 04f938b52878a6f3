"""Differential evolution (Storn & Price, 1997): the sum of one parent and a part of the difference of two others, crossed."""

from collections.abc import Callable, Sequence

import numpy as np

from hpo.events.values import Configuration
from hpo.space.search_space import SearchSpace
from hpo.surrogate.kernel import Floats
from hpo.surrogate.pool import Pool

TRIES = 50
"""Children that may be known before there is none; those of the second half are random."""


class DifferentialEvolution:
    """Children by rand/1/bin on the unit cube.

    A choice without an order is an interval of [0, 1] for each value, in their order, as in DEHB.

    Args:
        space: what is searched; all of it is always used.
        factor: F, how much of the difference is added.
        crossover: how likely a hyperparameter is the mutant's; one of them is in any case.
    """

    def __init__(self, space: SearchSpace, factor: float, crossover: float) -> None:
        self._pool, self._factor, self._crossover = Pool(space), factor, crossover

    def child(
        self,
        rng: np.random.Generator,
        parents: Sequence[Configuration],
        target: Configuration | None,
        is_known: Callable[[Configuration], bool],
    ) -> Configuration | None:
        """A configuration that is not known; None where none was found.

        Args:
            rng: where chance comes from.
            parents: at least three.
            target: whose hyperparameters the mutant's replace; None takes a parent.
            is_known: those to leave out.
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
