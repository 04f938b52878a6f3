"""Covariance matrix adaptation (Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772, 2016), eq. 41 to 58.

A generation may contain points that were not drawn from the current distribution. Each counts by its position relative to the
current mean.
"""

import math
from dataclasses import dataclass

import numpy as np

from hpo.surrogate.arrays import Floats

LEAST = 1e-14
"""Lower limit of eigenvalues, which negative weights and rounding can bring below 0."""


@dataclass(frozen=True, slots=True)
class Constants:
    """The constants of CMA-ES for a given number of dimensions."""

    count: int
    """λ, the number of points in a generation."""
    parents: int
    """μ, the number of points with a positive weight."""
    weights: Floats
    """Recombination weights of the points of a generation, best first, shape (λ,)."""
    effective: float
    """μ_eff, the variance-effective selection mass: the number of equal weights that the positive ones are worth."""
    path_rate: float
    """c_c, the learning rate of the evolution path."""
    rank_one: float
    """c_1, the learning rate of the rank-one update of the covariance."""
    rank_many: float
    """c_μ, the learning rate of the rank-μ update of the covariance."""
    step_rate: float
    """c_σ, the learning rate of the evolution path of the step size."""
    damping: float
    """d_σ, the damping of changes of the step size."""
    length: float
    """Expected length of a standard normal vector."""


def constants_of(d: int) -> Constants:
    """Return the default constants of CMA-ES for d dimensions (table 1 of the tutorial)."""
    count = 4 + math.floor(3 * math.log(d))
    parents = count // 2
    raw = math.log((count + 1) / 2) - np.log(np.arange(1, count + 1))
    positive, negative = raw[:parents], raw[parents:]
    effective, negative_effective = (float(w.sum() ** 2 / np.square(w).sum()) for w in (positive, negative))
    rank_one = 2 / ((d + 1.3) ** 2 + effective)
    rank_many = min(1 - rank_one - 1e-8, 2 * (effective - 2 + 1 / effective) / ((d + 2) ** 2 + effective))
    most = min(
        1 + rank_one / rank_many,
        1 + 2 * negative_effective / (effective + 2),
        (1 - rank_one - rank_many) / (d * rank_many),
    )
    weights = np.where(raw >= 0, raw / raw[raw > 0].sum(), most * raw / np.abs(raw[raw < 0]).sum())
    step_rate = (effective + 2) / (d + effective + 5)
    return Constants(
        count=count,
        parents=parents,
        weights=weights,
        effective=effective,
        path_rate=(4 + effective / d) / (d + 4 + 2 * effective / d),
        rank_one=rank_one,
        rank_many=rank_many,
        step_rate=step_rate,
        damping=1 + 2 * max(0.0, math.sqrt((effective - 1) / (d + 1)) - 1) + step_rate,
        length=math.sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d)),
    )


class Strategy:
    """The state of CMA-ES: a normal distribution N(m, σ² C) that is updated after each generation.

    Args:
        mean: Initial mean m, shape (d,).
        step: Initial step size σ.
        scales: Initial standard deviations of the coordinates, in units of σ, shape (d,).
    """

    def __init__(self, mean: Floats, step: float, scales: Floats) -> None:
        self.constants = constants_of(len(mean))
        self.mean, self.step = mean, step
        self.covariance = np.diag(np.square(scales))
        self.generation = 0
        self._path = np.zeros(len(mean))
        self._step_path = np.zeros(len(mean))
        self._decompose()

    def draw(self, rng: np.random.Generator) -> Floats:
        """Draw a point of the unit cube, shape (d,): the first of 10 d samples that lies inside, else the last, clipped."""
        d = len(self.mean)
        # Use the symmetric root, since signs of eigenvectors depend on the linear algebra library.
        points = self.mean + self.step * rng.standard_normal((10 * d, d)) @ self._root
        inside = np.flatnonzero(((points >= 0) & (points <= 1)).all(axis=1))
        point: Floats = np.clip(points[inside[0] if len(inside) else -1], 0.0, 1.0)
        return point

    def tell(self, points: Floats) -> None:
        """Update the distribution with a generation of points, shape (λ, d), best first."""
        c, d = self.constants, len(self.mean)
        self.generation += 1
        steps = (points - self.mean) / self.step
        towards = c.weights[: c.parents] @ steps[: c.parents]
        self.mean = self.mean + self.step * towards
        pull = math.sqrt(c.step_rate * (2 - c.step_rate) * c.effective)
        self._step_path = (1 - c.step_rate) * self._step_path + pull * (self._inverse @ towards)
        length = float(np.linalg.norm(self._step_path))
        fresh = math.sqrt(1 - (1 - c.step_rate) ** (2 * (self.generation + 1)))
        moving = length / fresh < (1.4 + 2 / (d + 1)) * c.length
        pull = math.sqrt(c.path_rate * (2 - c.path_rate) * c.effective) if moving else 0.0
        self._path = (1 - c.path_rate) * self._path + pull * towards
        shares = np.square(steps @ self._inverse).sum(axis=1)
        weights = np.where(c.weights >= 0, c.weights, c.weights * d / (shares + 1e-8))
        stalled = 0.0 if moving else c.path_rate * (2 - c.path_rate)
        self.covariance = (
            (1 + c.rank_one * (stalled - 1) - c.rank_many * c.weights.sum()) * self.covariance
            + c.rank_one * np.outer(self._path, self._path)
            + c.rank_many * (steps.T * weights) @ steps
        )
        self.step *= math.exp(c.step_rate / c.damping * (length / c.length - 1))
        self._decompose()

    def _decompose(self) -> None:
        """Compute the symmetric square root of the covariance matrix C, and its inverse."""
        values, vectors = np.linalg.eigh((self.covariance + self.covariance.T) / 2)
        roots = np.sqrt(np.maximum(values, LEAST))
        self._root = (vectors * roots) @ vectors.T
        self._inverse = (vectors / roots) @ vectors.T
