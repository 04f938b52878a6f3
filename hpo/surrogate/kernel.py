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
        u: log₃ of the resource, shape (n,), or (1,) where nothing but predictions at one resource are asked for.
        level: index of the resource among those that have a noise of their own, shape as of u.
    """

    x: Floats
    u: Floats
    level: Integers

    def __len__(self) -> int:
        return len(self.x)

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
class Places:
    """Inputs as a kernel sees them, so that those of known measurements are scaled once.

    Attributes:
        x: in units of length-scale / √5, shape (n, columns).
        norms: squared, of the rows of x, shape (n,).
        u: log₃ of the resource, shape (n,), or (1,) where it is the same for all.
    """

    x: Floats
    norms: Floats
    u: Floats


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

    def place(self, inputs: Inputs, groups: Integers) -> Places:
        """What `covariance` needs to know of them.

        Args:
            inputs: n of them.
            groups: which length-scale each column of x belongs to.
        """
        x = inputs.x * (ROOT5 / self.lengths)[groups]
        u = inputs.u
        return Places(x, np.einsum("ij,ij->i", x, x), u[:1] if len(u) > 1 and (u == u[0]).all() else u)

    def covariance(self, a: Places, b: Places) -> Floats:
        """Of noise-free values, shape (len(a.x), len(b.x))."""
        result = squared_distances(a, b)
        root = np.sqrt(result)
        result *= 1.0 / 3.0
        result += root
        result += 1.0
        # All other factors go into the exponent: where one side is at one resource, there are few of them.
        scale = math.log(self.variance) - np.abs(a.u[:, None] - b.u) / self.resource_length
        result *= np.exp(np.subtract(scale, root, out=root), out=root)
        return result

    def slopes(self, a: Places, b: Places) -> Floats:
        """Of the covariance: its gradient by row i of a.x is entry (i, j) times (a.x[i] - b.x[j])."""
        root = np.sqrt(squared_distances(a, b))
        scale = math.log(self.variance / 3.0) - np.abs(a.u[:, None] - b.u) / self.resource_length
        falling: Floats = np.exp(scale - root)
        falling *= -1.0 - root
        return falling


def squared_distances(a: Places, b: Places) -> Floats:
    """5 ρ² between the rows of a and of b; what rounding leaves below 0 is put above, which is faster than to 0."""
    result: Floats = (-2.0 * a.x) @ b.x.T
    result += a.norms[:, None]
    result += b.norms
    return np.abs(result, out=result)
