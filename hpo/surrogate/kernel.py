"""The covariance of two measurements: Matérn-5/2 over configurations, exponential over the logarithm of the resource.

    k((x, u), (x', u')) = c · m(‖(x - x') / l‖) · exp(-|u - u'| / l_u)
    m(ρ) = (1 + √5 ρ + 5 ρ²/3) · exp(-√5 ρ)

Each hyperparameter has a length-scale (automatic relevance determination; Rasmussen & Williams, "Gaussian Processes for
Machine Learning", 2006, section 5.1), and each resource a noise variance on the diagonal. u is log₃ of the resource.
"""

import math
from dataclasses import dataclass

import numpy as np

from hpo.surrogate.arrays import Floats, Integers

ROOT5 = math.sqrt(5.0)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of a Gaussian process: configurations at resources, measured or to be predicted.

    Attributes:
        x: Encoded configurations, shape (n, columns).
        u: log₃ of the resource, shape (n,), or (1,) for predictions at a single resource.
        level: Index of the resource among those with a noise variance of their own, in the shape of u.
    """

    x: Floats
    u: Floats
    level: Integers

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: Integers) -> "Inputs":
        """Return the rows with the given indices."""
        return Inputs(self.x[index], self.u[index], self.level[index])

    def joined(self, other: "Inputs") -> "Inputs":
        """Return these rows followed by those of another object."""
        return Inputs(
            np.concatenate((self.x, other.x)),
            np.concatenate((self.u, other.u)),
            np.concatenate((self.level, other.level)),
        )


@dataclass(frozen=True, slots=True)
class ScaledInputs:
    """Inputs scaled by a kernel's length-scales, kept so that known measurements are scaled only once.

    Attributes:
        x: Encoded configurations in units of length-scale / √5, shape (n, columns).
        norms: Squared norms of the rows of x, shape (n,).
        u: log₃ of the resource, shape (n,), or (1,) if it is the same for all.
    """

    x: Floats
    norms: Floats
    u: Floats


@dataclass(frozen=True, slots=True)
class Kernel:
    """Hyperparameters of the covariance function, all positive.

    Attributes:
        lengths: Length-scale of each hyperparameter of the search space, shape (d,).
        variance: Signal variance c.
        resource_length: Length-scale l_u over the log resource.
        noise: Noise variance at each level, shape (levels,).
    """

    lengths: Floats
    variance: float
    resource_length: float
    noise: Floats

    def place(self, inputs: Inputs, groups: Integers) -> ScaledInputs:
        """Scale inputs by the length-scales, as `covariance` needs them.

        Args:
            inputs: Inputs, n of them.
            groups: Index of the length-scale of each column of x.
        """
        x = inputs.x * (ROOT5 / self.lengths)[groups]
        u = inputs.u
        return ScaledInputs(x, np.einsum("ij,ij->i", x, x), u[:1] if len(u) > 1 and (u == u[0]).all() else u)

    def covariance(self, a: ScaledInputs, b: ScaledInputs) -> Floats:
        """Return the covariance of noise-free values at two sets of inputs, shape (len(a.x), len(b.x))."""
        result = squared_distances(a, b)
        root = np.sqrt(result)
        result *= 1.0 / 3.0
        result += root
        result += 1.0
        # Put all other factors into the exponent; if one side is at a single resource, they are a small array.
        scale = math.log(self.variance) - np.abs(a.u[:, None] - b.u) / self.resource_length
        result *= np.exp(np.subtract(scale, root, out=root), out=root)
        return result

    def slopes(self, a: ScaledInputs, b: ScaledInputs) -> Floats:
        """Return factors of the covariance's gradient: by row i of a.x it is entry (i, j) times (a.x[i] - b.x[j])."""
        root = np.sqrt(squared_distances(a, b))
        scale = math.log(self.variance / 3.0) - np.abs(a.u[:, None] - b.u) / self.resource_length
        falling: Floats = np.exp(scale - root)
        falling *= -1.0 - root
        return falling


def squared_distances(a: ScaledInputs, b: ScaledInputs) -> Floats:
    """Return 5 ρ² between the rows of a and of b; negative rounding errors are made positive, faster than clipping."""
    result: Floats = (-2.0 * a.x) @ b.x.T
    result += a.norms[:, None]
    result += b.norms
    return np.abs(result, out=result)
