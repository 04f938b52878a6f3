"""The covariance of two measurements: Matérn-5/2 over the configurations, exponential over log resource.

    k((x, u), (x', u')) = c · m(‖(x - x') / l‖) · exp(-|u - u'| / l_u)
    m(ρ) = (1 + √5 ρ + 5 ρ²/3) · exp(-√5 ρ)

with a length-scale for each hyperparameter (automatic relevance determination; Rasmussen & Williams, "Gaussian Processes
for Machine Learning", 2006, section 5.1), and noise for each resource on the diagonal. u is log₃ of the resource.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

ROOT5 = math.sqrt(5.0)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was, or would be, measured.

    Attributes:
        x: encoded configurations, shape (n, columns).
        u: log₃ of the resource, shape (n,).
        level: index of the resource among those that have a noise of their own, shape (n,).
    """

    x: Floats
    u: Floats
    level: Integers

    def __len__(self) -> int:
        return len(self.u)

    def take(self, index: Integers) -> "Inputs":
        """Some of the rows."""
        return Inputs(self.x[index], self.u[index], self.level[index])

    def joined(self, other: "Inputs") -> "Inputs":
        """These rows, then the other's."""
        return Inputs(
            np.concatenate((self.x, other.x)),
            np.concatenate((self.u, other.u)),
            np.concatenate((self.level, other.level)),
        )


@dataclass(frozen=True, slots=True)
class Kernel:
    """Hyperparameters of the covariance, all positive.

    Attributes:
        lengths: one per hyperparameter, shape (d,).
        variance: c.
        resource_length: l_u.
        noise: variance at each level, shape (levels,).
    """

    lengths: Floats
    variance: float
    resource_length: float
    noise: Floats

    def covariance(self, a: Inputs, b: Inputs, groups: Integers) -> Floats:
        """Of noise-free values, shape (len(a), len(b)).

        Args:
            a: rows.
            b: columns.
            groups: which length-scale each column of x belongs to.
        """
        scales = 1.0 / self.lengths[groups]
        result = self.variance * matern(squared_distances(a.x * scales, b.x * scales))
        if a.u.size and b.u.size and (a.u[0] != b.u[0] or np.ptp(a.u) > 0 or np.ptp(b.u) > 0):
            result *= np.exp(-np.abs(a.u[:, None] - b.u[None, :]) / self.resource_length)
        return result


def squared_distances(a: Floats, b: Floats) -> Floats:
    """Between the rows of a and of b, shape (len(a), len(b))."""
    result = a @ b.T
    result *= -2.0
    result += np.einsum("ij,ij->i", a, a)[:, None]
    result += np.einsum("ij,ij->i", b, b)[None, :]
    return np.maximum(result, 0.0, out=result)


def matern(squared: Floats) -> Floats:
    """m(ρ) from ρ²."""
    rho = ROOT5 * np.sqrt(squared)
    result = np.exp(-rho)
    rho += 1.0
    rho += (5.0 / 3.0) * squared
    result *= rho
    return result
