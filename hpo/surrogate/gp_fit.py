"""Maximum a posteriori fit of a Gaussian process's hyperparameters, with analytic gradients.

The marginal likelihood and its gradient are those of Rasmussen & Williams (2006), section 5.4.1. Priors are normal on the
logarithms. Several blocks of data that are independent given shared length-scales are fitted together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.surrogate.arrays import Floats, Integers
from hpo.surrogate.kernel import Inputs, Kernel

JITTERS = (0.0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
"""Values added to the diagonal of a covariance matrix, tried in this order until its factorisation succeeds."""

DIGITS = 4
"""Number of decimals to which logarithms of hyperparameters are rounded.

Linear algebra libraries differ in the order of summation. The differences are far smaller than this rounding, so that
decisions do not depend on them.
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """The hyperparameters of a Gaussian process and their positions in the vector of logarithms that is optimised.

    Attributes:
        dimension: Number of length-scales.
        blocks: Number of independent blocks of data, each with a variance of its own.
        levels: Number of noise variances.
        resources: Whether there is a length-scale over resources.
        exact: Whether measurements may be free of noise; if not, noise has a lower limit and a stronger prior.
    """

    dimension: int
    blocks: int = 1
    levels: int = 1
    resources: bool = False
    exact: bool = False

    @property
    def size(self) -> int:
        """Length of the vector of log hyperparameters."""
        return self.dimension + self.blocks + self.resources + self.levels

    @property
    def resource_at(self) -> int:
        """Index of the length-scale over resources in the vector of log hyperparameters, if there is one."""
        return self.dimension + self.blocks

    @property
    def noise_at(self) -> slice:
        """Slice of the noise variances in the vector of log hyperparameters."""
        return slice(self.size - self.levels, self.size)

    def start(self) -> Floats:
        """Return the vector of log hyperparameters at which a first fit starts."""
        return self._vector(self._typical_length, 0.0, math.log(3), 1e-3 if self.exact else 0.03)

    def prior(self) -> tuple[Floats, Floats]:
        """Return the prior mean and standard deviation of each log hyperparameter."""
        mean = self._vector(self._typical_length, 0.0, 1.1, math.exp(-7.0 if self.exact else -4.0))
        deviation = np.ones(self.size)
        if self.exact:
            deviation[self.noise_at] = 3.0
        return mean, deviation

    def bounds(self) -> list[tuple[float, float]]:
        """Return the lower and upper bound of each log hyperparameter."""
        low = self._vector(math.log(0.025), -5.0, math.log(0.2), 1e-6 if self.exact else 1e-3)
        high = self._vector(math.log(100), 5.0, math.log(50), 2.0)
        return list(zip(low.tolist(), high.tolist(), strict=True))

    @property
    def _typical_length(self) -> float:
        return math.log((0.25 if self.exact else 0.5) * math.sqrt(max(self.dimension, 1)))

    def _vector(self, length: float, variance: float, resource: float, noise: float) -> Floats:
        parts = [length] * self.dimension + [variance] * self.blocks
        parts += [resource] * self.resources + [math.log(noise)] * self.levels
        return np.array(parts)

    def kernel(self, theta: Floats, block: int = 0) -> Kernel:
        """Return the kernel of a block of data, given the vector of log hyperparameters."""
        return Kernel(
            lengths=np.exp(theta[: self.dimension]),
            variance=math.exp(theta[self.dimension + block]),
            resource_length=math.exp(theta[self.resource_at]) if self.resources else math.inf,
            noise=np.exp(theta[self.noise_at]),
        )


class FitObjective:
    """The objective of a fit: the negative log posterior density of the hyperparameters, and its gradient.

    Args:
        layout: Positions of the hyperparameters in the vector.
        blocks: Inputs and targets of each block of data.
        groups: Index of the length-scale of each input column.
    """

    def __init__(self, layout: Layout, blocks: Sequence[tuple[Inputs, Floats]], groups: Integers) -> None:
        self.layout = layout
        self._blocks = [_Block(inputs, y, groups, layout) for inputs, y in blocks]
        self._prior = layout.prior()

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        """Return value and gradient at a vector of log hyperparameters; infinite if the covariance cannot be factorised."""
        value, gradient = self.likelihood(theta)
        mean, deviation = self._prior
        distance = (theta - mean) / deviation
        return value + 0.5 * float(distance @ distance), gradient + distance / deviation

    def likelihood(self, theta: Floats) -> tuple[float, Floats]:
        """Return the negative log marginal likelihood and its gradient, without the priors."""
        value, gradient = 0.0, np.zeros(self.layout.size)
        for index, block in enumerate(self._blocks):
            value += block.add(theta, index, gradient)
        return value, gradient


class _Block:
    """One block of data in the objective of a fit.

    Covariance matrices are symmetric, so that everything is computed for the pairs i < j only, row by row, and for the
    diagonal.
    """

    def __init__(self, inputs: Inputs, y: Floats, groups: Integers, layout: Layout) -> None:
        n = len(inputs)
        self._layout, self._y, self._n, self._level = layout, y, n, inputs.level
        self._pairs = np.flatnonzero(~np.tri(n, dtype=np.bool_))  # positions of the pairs in a flattened matrix
        self._squares = np.zeros((layout.dimension, len(self._pairs)))
        for column, group in zip(inputs.x.T, groups.tolist(), strict=True):
            self._squares[group] += self._of_pairs(np.square(column[:, None] - column))
        self._steps = self._of_pairs(np.abs(inputs.u[:, None] - inputs.u))

    def _of_pairs(self, matrix: Floats) -> Floats:
        return matrix.ravel().take(self._pairs)

    def add(self, theta: Floats, index: int, gradient: Floats) -> float:
        """Return the block's contribution to the negative log likelihood, and add its gradient to `gradient` in place."""
        from scipy.linalg import lapack

        if not self._n:
            return 0.0  # the fit has no measurements at this resource
        layout, n, d = self._layout, self._n, self._layout.dimension
        kernel = layout.kernel(theta, index)
        weights = kernel.lengths**-2
        signal = (5.0 * weights) @ self._squares  # 5 ρ² so far; large arrays are modified in place
        slope = np.sqrt(signal)
        exponent = np.negative(slope)
        if layout.resources:
            exponent -= self._steps / kernel.resource_length
        falling = np.exp(exponent, out=exponent)
        falling *= kernel.variance
        slope += 1.0
        slope *= falling
        signal *= falling
        signal /= 3.0
        signal += slope
        covariance = np.zeros((n, n))
        covariance.ravel()[self._pairs] = signal
        covariance.ravel()[:: n + 1] = kernel.variance + kernel.noise[self._level]
        try:
            factor = factorise(covariance.T, "")  # the pairs are in its lower triangle
        except NumericalError:
            return math.inf
        alpha = lapack.dpotrs(factor, self._y, lower=1)[0]
        inverse = lapack.dpotri(factor, lower=1)[0].T
        inverse -= alpha[:, None] * alpha
        w, diagonal = self._of_pairs(inverse), inverse.diagonal()
        slope *= w
        signal *= w
        # Each pair stands for two entries; on the diagonal, distances are 0 and the signal is the variance.
        gradient[:d] += (5 / 3) * weights * (self._squares @ slope)
        gradient[d + index] += float(signal.sum()) + 0.5 * kernel.variance * float(diagonal.sum())
        if layout.resources:
            gradient[layout.resource_at] += float(signal @ self._steps) / kernel.resource_length
        gradient[layout.noise_at] += 0.5 * kernel.noise * np.bincount(self._level, diagonal, layout.levels)
        determinant = float(np.log(factor.diagonal()).sum())
        return 0.5 * float(self._y @ alpha) + determinant + 0.5 * n * math.log(2 * math.pi)


class NumericalError(ArithmeticError):
    """Error for a covariance matrix that could not be factorised."""


def factorise(covariance: Floats, otherwise: str) -> Floats:
    """Return the lower Cholesky factor in Fortran order, adding a small value to the diagonal if necessary.

    Only the lower triangle is read.

    Args:
        covariance: Covariance matrix, shape (n, n).
        otherwise: Error message in case of failure.

    Raises:
        NumericalError: The matrix is not positive definite or not finite, even with the added value.
    """
    from scipy.linalg import lapack

    for jitter in JITTERS:
        matrix = np.array(covariance, order="F")
        if jitter:
            matrix[np.diag_indices_from(matrix)] += jitter
        factor, info = lapack.dpotrf(matrix, lower=1, clean=1, overwrite_a=1)
        if info == 0 and np.isfinite(factor.diagonal()).all():
            result: Floats = factor
            return result
    raise NumericalError(otherwise)


def fit_hyperparameters(
    layout: Layout,
    blocks: Sequence[tuple[Inputs, Floats]],
    groups: Integers,
    starts: Sequence[Floats],
    iterations: int,
) -> Floats | None:
    """Return the logarithms of the most probable hyperparameters, rounded; None if the computation failed numerically.

    Args:
        layout: Positions of the hyperparameters in the vector.
        blocks: Inputs and targets of each block of data.
        groups: Index of the length-scale of each input column.
        starts: Starting vectors; the best result counts.
        iterations: Maximum number of L-BFGS-B iterations from each start.
    """
    from scipy.optimize import fmin_l_bfgs_b  # same as `minimize`, with less overhead

    bounds = layout.bounds()
    low, high = np.array(bounds).T
    objective = FitObjective(layout, blocks, groups)
    best, least = None, math.inf
    for start in starts:
        found, value, _ = fmin_l_bfgs_b(
            objective,
            np.clip(start, low, high),
            bounds=bounds,
            factr=1e-6 / np.finfo(np.float64).eps,
            pgtol=1e-3,
            maxiter=iterations,
            maxfun=4 * iterations,
        )
        if np.isfinite(found).all() and value < least:
            best, least = np.round(found, DIGITS), float(value)
    return best
