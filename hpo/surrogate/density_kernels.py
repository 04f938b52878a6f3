"""Kernels of a density estimate for one hyperparameter on its [0, 1] scale, one kernel per observation.

Densities are relative to the uniform density, so that a hyperparameter that is not used has no effect.
"""

import itertools
import math
from abc import ABC, abstractmethod

import numpy as np

from hpo.space.domains import Choice, Domain, Float, Integer
from hpo.surrogate.arrays import Floats, Integers
from hpo.surrogate.candidate_points import FINE

ROOT2PI = math.sqrt(2 * math.pi)

BLOCK = 16384
"""Number of elements processed at once, which fit into a core's cache."""


class Kernels(ABC):
    """Base class of N kernels for one hyperparameter."""

    @abstractmethod
    def draw(self, which: Integers, shares: Floats) -> Floats:
        """Draw a point from each of the kernels `which`, given uniform random numbers; both have shape (m,)."""

    @abstractmethod
    def log_density(self, units: Floats) -> Floats:
        """Return the log density of each kernel at each point, shape (m, N)."""


class NormalKernels(Kernels):
    """Normal distributions truncated to [0, 1], as kernels of a numeric or ordinal hyperparameter.

    Args:
        centres: Means, shape (N,).
        spreads: Standard deviations, shape (N,).
        borders: Ends of the intervals of [0, 1] that belong to each value of a finite domain; None if it is continuous.
        cut: Whether the density is normalised on [0, 1]; if not, the mass outside counts too, as in an estimate that ignores
            bounds. Points are drawn from [0, 1] in either case.
    """

    def __init__(self, centres: Floats, spreads: Floats, borders: Floats | None = None, *, cut: bool = True) -> None:
        from scipy.special import ndtr

        self.centres, self.spreads, self._borders, self._cut = centres, spreads, borders, cut
        self._below = ndtr(-centres / spreads)
        self._within = ndtr((1 - centres) / spreads) - self._below

    def draw(self, which: Integers, shares: Floats) -> Floats:
        """Draw points by the quantile function; see `Kernels.draw`."""
        from scipy.special import ndtri

        inside = self._below[which] + shares * self._within[which]
        units: Floats = self.centres[which] + self.spreads[which] * ndtri(np.minimum(inside, 1 - 1e-16))
        return np.minimum(np.maximum(units, 0.0, out=units), 1.0, out=units)

    def log_density(self, units: Floats) -> Floats:
        """Return the log density at points; on a finite domain, averaged over the interval of the point's value."""
        if self._borders is not None:
            return self._log_mean(units, self._borders)
        scales = math.sqrt(0.5) / self.spreads
        offsets = self.centres * scales
        peaks = -np.log(self.spreads * ROOT2PI * (self._within if self._cut else 1.0))
        logs = np.empty((len(units), len(scales)))
        rows = max(BLOCK // len(scales), 1)
        for start in range(0, len(units), rows):
            block = logs[start : start + rows]
            np.multiply(units[start : start + rows, None], scales, out=block)
            block -= offsets
            np.square(block, out=block)
            np.subtract(peaks, block, out=block)
        return logs

    def _log_mean(self, units: Floats, borders: Floats) -> Floats:
        """Return log densities averaged over intervals, computing equal points and equal kernels only once."""
        cells, of_cell = np.unique(borders[1:-1].searchsorted(units), return_inverse=True)
        order = self.centres.argsort(kind="stable")
        centres, spreads = self.centres[order], self.spreads[order]
        new = np.ones(len(order), dtype=bool)
        new[1:] = (centres[1:] != centres[:-1]) | (spreads[1:] != spreads[:-1])
        of_kernel = np.empty(len(order), dtype=np.intp)
        of_kernel[order] = new.cumsum() - 1
        centres, spreads = centres[new], spreads[new]
        low, high = borders[cells, None], borders[cells + 1, None]
        logs = log_mass((low - centres) / spreads, (high - centres) / spreads) - np.log(high - low)
        if self._cut:
            logs -= np.log(self._within[order][new])
        return logs[of_cell][:, of_kernel]


class ChoiceKernels(Kernels):
    """Probability masses on the values of a categorical hyperparameter, as kernels.

    Args:
        masses: Probabilities, shape (N, values); each row sums to 1.
    """

    def __init__(self, masses: Floats) -> None:
        self.masses = masses

    def draw(self, which: Integers, shares: Floats) -> Floats:
        """Draw values and return the centres of their intervals of [0, 1]; see `Kernels.draw`."""
        below = self.masses[which].cumsum(axis=1)[:, :-1]
        index = (below <= shares[:, None]).sum(axis=1)
        units: Floats = (index + 0.5) / self.masses.shape[1]
        return units

    def log_density(self, units: Floats) -> Floats:
        """Return the log density of each kernel at the value of each point, shape (m, N)."""
        count = self.masses.shape[1]
        logs: Floats = np.log(self.masses.T * count)[index_of(units, count)]
        return logs


def index_of(units: Floats, count: int) -> Integers:
    """Return the index of the list value, of `count`, that each point of [0, 1] stands for."""
    index: Integers = np.minimum((units * count).astype(np.intp), count - 1)
    return index


def log_mass(low: Floats, high: Floats) -> Floats:
    """Return the log probability of a standard normal variable between `low` and `high`, accurate far in the tails."""
    from scipy.special import log_ndtr

    turned = low > 0
    below, above = log_ndtr(np.where(turned, -high, low)), log_ndtr(np.where(turned, -low, high))
    logs: Floats = above + np.log1p(-np.exp(below - above))
    return logs


def value_borders(domain: Domain) -> Floats | None:
    """Return the borders, from 0 to 1, of the intervals that decode to one value of a numeric or ordinal domain.

    Return None if the domain is continuous, or has so many values that it is treated so.
    """
    if domain.size > FINE:
        return None
    count = int(domain.size)
    if isinstance(domain, Choice):
        return np.arange(count + 1) / count
    assert isinstance(domain, Float | Integer)
    values = domain.values(count)
    between = [domain.encode((one + other) / 2) for one, other in itertools.pairwise(values)]
    return np.array([0.0, *between, 1.0])


def neighbour_spreads(centres: Floats, kernels: int) -> Floats:
    """Return the bandwidth of each observation: the distance to its farther neighbour, from 1 / min(100, 1 + kernels) to 1.

    The ends of the range are neighbours too, but for the outermost observations only if there is no other.

    Args:
        centres: Observations, shape (n,).
        kernels: Number of kernels of the estimate, including its prior.
    """
    n = len(centres)
    if n == 0:
        return centres
    order = centres.argsort(kind="stable")
    ends = np.concatenate(((0.0,), centres[order], (1.0,)))
    gaps = ends[1:] - ends[:-1]
    widest = np.maximum(gaps[:-1], gaps[1:])
    if n > 1:
        widest[0], widest[-1] = gaps[1], gaps[-2]
    spreads = np.empty(n)
    spreads[order] = np.minimum(np.maximum(widest, 1 / min(100.0, 1.0 + kernels)), 1.0)
    return spreads


def reference_spread(values: Floats, dimension: int, least: float) -> float:
    """Return the bandwidth of the normal reference rule, 1.06 s n^(-1 / (4 + d)).

    Args:
        values: Observations, shape (n,).
        dimension: Number of dimensions d of the estimate.
        least: Smallest bandwidth.
    """
    return float(max(1.06 * values.std() * len(values) ** (-1 / (4 + dimension)), least))


def smoothed_masses(index: Integers, count: int, kernels: int) -> Floats:
    """Return normalised masses, shape (n, count): 1 on the observation's value plus 1 / kernels on every value."""
    masses = np.full((len(index), count), 1 / kernels)
    masses[np.arange(len(index)), index] += 1
    return masses / (1 + count / kernels)


def aitchison_aitken(index: Integers, count: int, spread: float) -> Floats:
    """Return Aitchison-Aitken kernels, shape (n, count): mass 1 - h on the observation's value, h shared by the others.

    The bandwidth h is `spread`, limited so that a kernel is at most uniform.
    """
    h = min(spread, (count - 1) / count)
    masses = np.full((len(index), count), h / (count - 1))
    masses[np.arange(len(index)), index] = 1 - h
    return masses
