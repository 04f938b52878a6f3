"""Hyperparameters of a Gaussian process by maximum a posteriori, with analytic gradients.

Marginal likelihood and its gradient are those of Rasmussen & Williams (2006), section 5.4.1; priors are normal on the
logarithms. Several blocks of data that are independent given shared length-scales are fitted together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo.surrogate.kernel import ROOT5, Floats, Inputs, Integers, Kernel, squared_distances

JITTERS = (0.0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
"""Added to the diagonal, in this order, until a factorisation succeeds."""

DIGITS = 4
"""Logarithms of hyperparameters are rounded to so many digits after the point: what a different summation order in
another linear algebra library changes is far smaller, so that decisions do not depend on it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which hyperparameters there are, and where each stands in the vector of logarithms.

    Attributes:
        dimension: number of length-scales.
        blocks: number of independent blocks, each with a variance of its own.
        levels: number of noises.
        resources: is there a length over resources?
    """

    dimension: int
    blocks: int = 1
    levels: int = 1
    resources: bool = False

    @property
    def size(self) -> int:
        """Length of the vector."""
        return self.dimension + self.blocks + self.resources + self.levels

    @property
    def resource_at(self) -> int:
        """Where the length over resources stands, if there is one."""
        return self.dimension + self.blocks

    @property
    def noise_at(self) -> slice:
        """Where the noises stand."""
        return slice(self.size - self.levels, self.size)

    def start(self) -> Floats:
        """Where a fit without a predecessor begins."""
        return self._vector(self._typical_length, 0.0, math.log(3), 0.03)

    def prior(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each logarithm."""
        return self._vector(self._typical_length, 0.0, 1.1, math.exp(-4.0)), np.ones(self.size)

    def bounds(self) -> list[tuple[float, float]]:
        """Of each logarithm."""
        low = self._vector(math.log(0.025), -5.0, math.log(0.2), 1e-3)
        high = self._vector(math.log(100), 5.0, math.log(50), 2.0)
        return list(zip(low.tolist(), high.tolist(), strict=True))

    @property
    def _typical_length(self) -> float:
        return math.log(0.5 * math.sqrt(max(self.dimension, 1)))

    def _vector(self, length: float, variance: float, resource: float, noise: float) -> Floats:
        parts = [length] * self.dimension + [variance] * self.blocks
        parts += [resource] * self.resources + [math.log(noise)] * self.levels
        return np.array(parts)

    def kernel(self, theta: Floats, block: int = 0) -> Kernel:
        """The covariance of a block."""
        return Kernel(
            lengths=np.exp(theta[: self.dimension]),
            variance=math.exp(theta[self.dimension + block]),
            resource_length=math.exp(theta[self.resource_at]) if self.resources else 1.0,
            noise=np.exp(theta[self.noise_at]),
        )


class Objective:
    """The negative logarithm of the posterior density of the hyperparameters, and its gradient.

    Args:
        layout: what the vector holds.
        blocks: inputs and targets of each block.
        groups: which length-scale each column belongs to.
    """

    def __init__(self, layout: Layout, blocks: Sequence[tuple[Inputs, Floats]], groups: Integers) -> None:
        self.layout = layout
        self._blocks = [_Block(inputs, y, groups, layout) for inputs, y in blocks]
        self._prior = layout.prior()

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        """Value and gradient; infinite where the covariance cannot be factorised."""
        value, gradient = self.likelihood(theta)
        mean, deviation = self._prior
        distance = (theta - mean) / deviation
        return value + 0.5 * float(distance @ distance), gradient + distance / deviation

    def likelihood(self, theta: Floats) -> tuple[float, Floats]:
        """Negative log marginal likelihood and its gradient, without the priors."""
        value, gradient = 0.0, np.zeros(self.layout.size)
        for index, block in enumerate(self._blocks):
            value += block.add(theta, index, gradient)
        return value, gradient


class _Block:
    def __init__(self, inputs: Inputs, y: Floats, groups: Integers, layout: Layout) -> None:
        n = len(inputs)
        self._layout, self._y, self._n = layout, y, n
        self._squares = np.empty((layout.dimension, n * n))
        for group in range(layout.dimension):
            columns = np.ascontiguousarray(inputs.x[:, groups == group])
            self._squares[group] = squared_distances(columns, columns).ravel()
        self._steps = np.abs(inputs.u[:, None] - inputs.u[None, :])
        self._member = (inputs.level[:, None] == np.arange(layout.levels)[None, :]).astype(float)

    def add(self, theta: Floats, index: int, gradient: Floats) -> float:
        """The block's share of the value; its share of the gradient is added in place."""
        layout, n, d = self._layout, self._n, self._layout.dimension
        kernel = layout.kernel(theta, index)
        weights = kernel.lengths**-2
        squared = (weights @ self._squares).reshape(n, n)
        rho = ROOT5 * np.sqrt(squared)
        falling = np.exp(-rho)
        signal = kernel.variance * (1 + rho + (5 / 3) * squared) * falling
        slope = kernel.variance * (1 + rho) * falling
        if layout.resources:
            decay = np.exp(-self._steps / kernel.resource_length)
            signal *= decay
            slope *= decay
        factor = factorise(signal + np.diag(self._member @ kernel.noise))
        if factor is None:
            return math.inf
        from scipy.linalg import lapack

        alpha = lapack.dpotrs(factor, self._y, lower=1)[0]
        inverse = lapack.dpotri(factor, lower=1)[0]
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        w = inverse - np.outer(alpha, alpha)
        gradient[:d] += (5 / 6) * weights * (self._squares @ (w * slope).ravel())
        gradient[d + index] += 0.5 * float(np.vdot(w, signal))
        if layout.resources:
            gradient[layout.resource_at] += 0.5 * float(np.vdot(w * signal, self._steps)) / kernel.resource_length
        gradient[layout.noise_at] += 0.5 * kernel.noise * (np.diag(w) @ self._member)
        determinant = float(np.log(np.diag(factor)).sum())
        return 0.5 * float(self._y @ alpha) + determinant + 0.5 * n * math.log(2 * math.pi)


def factorise(covariance: Floats) -> Floats | None:
    """The lower Cholesky factor, in Fortran order; a little is added to the diagonal where it is needed.

    None when the matrix is not positive definite, or not finite, all the same.
    """
    from scipy.linalg import lapack

    for jitter in JITTERS:
        matrix = np.array(covariance, order="F")
        if jitter:
            matrix[np.diag_indices_from(matrix)] += jitter
        factor, info = lapack.dpotrf(matrix, lower=1, clean=1, overwrite_a=1)
        if info == 0 and np.isfinite(np.diag(factor)).all():
            result: Floats = factor
            return result
    return None


def maximise(
    layout: Layout, blocks: Sequence[tuple[Inputs, Floats]], groups: Integers, start: Floats, iterations: int
) -> Floats | None:
    """The logarithms of the most probable hyperparameters, rounded; None when the numbers broke down.

    Args:
        layout: what the vector holds.
        blocks: inputs and targets of each block.
        groups: which length-scale each column belongs to.
        start: where to begin.
        iterations: at most so many steps of L-BFGS-B.
    """
    from scipy.optimize import minimize

    bounds = layout.bounds()
    low, high = np.array(bounds).T
    found = minimize(
        Objective(layout, blocks, groups),
        np.clip(start, low, high),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": iterations, "maxfun": 4 * iterations, "ftol": 1e-6, "gtol": 1e-3},
    )
    theta: NDArray[np.float64] = found.x
    if not (np.isfinite(theta).all() and np.isfinite(found.fun)):
        return None
    return np.round(theta, DIGITS)
