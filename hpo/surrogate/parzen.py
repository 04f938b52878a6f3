"""Kernel density estimates over configurations: mixtures with one product of kernels per observation.

In a space with conditional hyperparameters, the estimate is a product over the hyperparameters c in the order of the space,

    p(x_c | those before) = Σ_i w_i K_i k_i(x_c) / Σ_i w_i K_i ,

over the observations i that have c. K_i is the product of the kernels of i over the earlier hyperparameters that both
have. Without conditions this is the plain mixture Σ_i w_i Π_c k_i(x_c). With them, it keeps what a shared
hyperparameter tells about one that only a branch has.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hpo.space.domains import Choice
from hpo.space.priors import ChoicePrior
from hpo.space.search_space import SearchSpace
from hpo.surrogate.arrays import Flags, Floats, Integers
from hpo.surrogate.candidate_points import CandidatePoints
from hpo.surrogate.density_kernels import (
    ChoiceKernels,
    Kernels,
    NormalKernels,
    aitchison_aitken,
    index_of,
    neighbour_spreads,
    reference_spread,
    smoothed_masses,
    value_borders,
)

RECENT = 25
"""Number of latest observations that have full weight; older ones have less the older they are."""

FLOOR = 1e-32
"""Weight of a uniform density in estimates without a prior, which keeps densities above zero."""

FLAT = 1000.0
"""Standard deviation of a normal distribution that is practically uniform on [0, 1]."""


def age_weights(n: int) -> Floats:
    """Return the weights of n observations by age, the oldest first."""
    if n < RECENT:
        return np.ones(n)
    return np.concatenate((np.linspace(1 / n, 1.0, n - RECENT), np.ones(RECENT)))


@dataclass(frozen=True)
class Observations:
    """Observations for a density estimate: configurations as points of the unit cube, in the order of the trials.

    Attributes:
        points: Points, shape (n, d); 0 where a hyperparameter is not used.
        used: Whether each hyperparameter is used, shape (n, d).
        weights: Weight of each observation, shape (n,).
    """

    points: Floats
    used: Flags
    weights: Floats

    def __len__(self) -> int:
        return len(self.points)


class Mixture:
    """A density estimate: a mixture of N products of kernels, one for each observation and one for the prior.

    Args:
        pool: Points of the search space.
        weights: Weights of the observations and, at the end, of the prior, shape (N,).
        kernels: Kernels of each hyperparameter, one for each component that has it.
        members: Indices of these components, for each hyperparameter; None for all.
    """

    def __init__(
        self, pool: CandidatePoints, weights: Floats, kernels: Sequence[Kernels], members: Sequence[Integers | None]
    ) -> None:
        self._pool, self._kernels, self._members = pool, kernels, members
        self._log_weights = np.log(weights / weights.sum())
        self._runs: list[list[int]] = []  # adjacent columns without conditions, or one conditional column
        for column, has in enumerate(members):
            if has is None and self._runs and members[self._runs[-1][0]] is None:
                self._runs[-1].append(column)
            else:
                self._runs.append([column])

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Floats, Flags]:
        """Draw points and return them with whether each coordinate is used, both of shape (count, d)."""
        points = np.zeros((count, len(self._kernels)))
        used = np.ones(points.shape, dtype=bool)
        logs = self._start(count)
        for run in self._runs:
            shares = rng.random((1 + len(run), count))
            if self._members[run[0]] is not None and self._pool.activity is not None:
                used[:, run[0]] = self._pool.activity.used(points)[:, run[0]]
            rows = np.flatnonzero(used[:, run[0]])
            which = _choose(self._of_members(logs, run[0], rows), shares[0, rows])
            for column, share in zip(run, shares[1:], strict=True):
                points[rows, column] = self._kernels[column].draw(which, share[rows])
            if run is not self._runs[-1]:
                self._add(logs, run, points, rows)
        return points, used

    def log_density(self, points: Floats, used: Flags) -> Floats:
        """Return the log density at points, relative to the uniform density, shape (m,).

        Args:
            points: Points of the unit cube, shape (m, d).
            used: Whether each coordinate is used, shape (m, d).
        """
        logs, total = self._start(len(points)), np.zeros(len(points))
        for number, run in enumerate(self._runs):
            rows = np.flatnonzero(used[:, run[0]])
            if number:
                total[rows] -= _log_sum(self._of_members(logs, run[0], rows))
            self._add(logs, run, points, rows)
            total[rows] += _log_sum(self._of_members(logs, run[0], rows))
        return total

    def _start(self, count: int) -> Floats:
        """Return the log weights of the components, repeated for each point, shape (count, N)."""
        return np.repeat(self._log_weights[None], count, axis=0)

    def _of_members(self, logs: Floats, column: int, rows: Integers) -> Floats:
        members = self._members[column]
        return logs if members is None else logs[np.ix_(rows, members)]

    def _add(self, logs: Floats, run: Sequence[int], points: Floats, rows: Integers) -> None:
        """Multiply each component by its kernels of the given columns, as logarithms; changes `logs` in place."""
        for column in run:
            members = self._members[column]
            if members is None:
                logs += self._kernels[column].log_density(points[:, column])
            else:
                logs[np.ix_(rows, members)] += self._kernels[column].log_density(points[rows, column])


def _log_sum(logs: Floats) -> Floats:
    """Return the logarithm of the sum of exp(logs) in each row."""
    top = logs.max(axis=1)
    sums: Floats = top + np.log(np.exp(logs - top[:, None]).sum(axis=1))
    return sums


def _choose(logs: Floats, shares: Floats) -> Integers:
    """Draw a column for each row, with probabilities proportional to exp(logs).

    Args:
        logs: Log weights, shape (m, n).
        shares: Uniform random numbers, shape (m,).
    """
    sums = np.exp(logs - logs.max(axis=1, keepdims=True)).cumsum(axis=1)
    index: Integers = (sums[:, :-1] <= shares[:, None] * sums[:, -1:]).sum(axis=1)
    return index


class DensityEstimator:
    """A factory of density estimates for a search space.

    Args:
        space: Search space; `parzen` uses its priors.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.pool = CandidatePoints(space)
        self._space = space
        self._names, self._domains = list(self.pool.domains), list(self.pool.domains.values())
        self._values = [  # number of values of categorical hyperparameters, else 0
            len(domain.choices) if isinstance(domain, Choice) and not domain.ordered else 0 for domain in self._domains
        ]
        self._borders = [
            None if count else value_borders(domain) for count, domain in zip(self._values, self._domains, strict=True)
        ]

    def parzen(self, observed: Observations) -> Mixture:
        """Return the multivariate Parzen estimate of TPE, with bandwidths from the distances between neighbours.

        Bergstra et al., "Algorithms for Hyper-Parameter Optimization" (NeurIPS 2011), section 4, here for all
        hyperparameters jointly. The prior is one more observation of weight 1. It is the user's prior, or else lies at
        the centre of the range and is as wide.
        """
        return self._mixture(observed, 1.0, self._parzen_kernels)

    def reference(self, observed: Observations, *, least: float, widened: float = 1.0) -> Mixture:
        """Return an estimate with one bandwidth per hyperparameter, by the normal reference rule.

        Args:
            observed: Observations.
            least: Smallest bandwidth.
            widened: Multiplier of the bandwidths of numeric hyperparameters.
        """

        def kernels(column: int, units: Floats) -> Kernels:
            count = self._values[column]
            values = index_of(units, count).astype(np.float64) if count else units
            spread = reference_spread(values, len(self._names), least) if len(units) else least
            if count:
                masses = aitchison_aitken(index_of(units, count), count, spread)
                return ChoiceKernels(np.append(masses, np.full((1, count), 1 / count), axis=0))
            spreads = np.append(np.full(len(units), spread * widened), FLAT)
            return NormalKernels(np.append(units, 0.5), spreads, cut=False)

        return self._mixture(observed, FLOOR, kernels)

    def _mixture(self, observed: Observations, prior: float, kernels: Callable[[int, Floats], Kernels]) -> Mixture:
        made, members = [], []
        for column, name in enumerate(self._names):
            units, has = observed.points[:, column], None
            if name in self._space.conditions:
                has = np.flatnonzero(observed.used[:, column])
                units, has = units[has], np.append(has, len(observed))
            made.append(kernels(column, units))
            members.append(has)
        return Mixture(self.pool, np.append(observed.weights, prior), made, members)

    def _parzen_kernels(self, column: int, units: Floats) -> Kernels:
        belief, count, values = self._space.priors.get(self._names[column]), len(units) + 1, self._values[column]
        if values:
            prior = np.full(values, 1 / values)
            if isinstance(belief, ChoicePrior):
                prior = np.array([belief.density((index + 0.5) / values) / values for index in range(values)])
            return ChoiceKernels(np.vstack((smoothed_masses(index_of(units, values), values, count), prior)))
        assert not isinstance(belief, ChoicePrior)
        centre, spread = (0.5, 1.0) if belief is None else (belief.centre, belief.spread)
        spreads = np.concatenate((neighbour_spreads(units, count), (spread,)))
        return NormalKernels(np.concatenate((units, (centre,))), spreads, self._borders[column])
