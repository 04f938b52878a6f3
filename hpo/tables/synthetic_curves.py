"""Synthetic learning curves that end in known final values, by a documented, seeded formula; labelled semi-synthetic.

Let y be the final value of a training on a scale T (logarithmic if a loss spans more than a factor of 10), with a sign such
that lower is better, s its spread over all configurations (interquartile range / 1.349), and R the maximum resource. Then

    T(y(r)) = T(y) + s·h(x)·g(r) + s·n(r)·q(0.7·u(x) + 0.714·e),       r = 1 … R

- g(r) = (r^-0.5 - R^-0.5) / (1 - R^-0.5): how far the curve still is from its end, 1 at r = 1, 0 at R
- h(x) between 0.5 and 2.5: a smooth random function of the configuration, so that some curves start further away
- u(x): another one, standardised, so that whole regions look better early than they are at the end
- e: standard normal, one draw per (configuration, training, r)
- q(z) = -log(1 - Φ(z)) turns a standard normal into a standard exponential variable, so that a training is never better
  before its end than at its end
- n(r)² = max(1/ρ(r)² - 1 - v(r), 0), where v(r) is the variance of h·g and ρ(r) = 1 - 0.7·(1 - log r / log R)^1.2 the
  intended rank correlation between values at r and at R: 0.30, 0.57, 0.81, 1 at 1, 3, 9, 27 of 27

If no final value is negative, no earlier value is. Seconds are proportional to r. All random numbers depend on the
table's name alone: the same table has the same curves everywhere.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.randomness import Randomness
from hpo.space.search_space import SearchSpace
from hpo.surrogate.arrays import Floats

_FEATURES = 64


def target_correlation(resource: int, max_resource: int, first: float = 0.3) -> float:
    """Return the intended rank correlation ρ(r) of values at `resource` with final values; `first` is ρ(1)."""
    if max_resource == 1:
        return 1.0
    left = 1 - math.log(resource) / math.log(max_resource)
    return 1.0 - (1.0 - first) * math.pow(left, 1.2)


def smooth_function(points: Floats, rng: np.random.Generator) -> Floats:
    """Return (N,) values of a smooth random function at (N, d) points, standardised; by random Fourier features."""
    dimensions = points.shape[1]
    waves = rng.normal(size=(dimensions, _FEATURES)) * 2.5 / math.sqrt(dimensions)
    phases = rng.uniform(0, 2 * math.pi, _FEATURES)
    values = np.cos(points @ waves + phases) @ rng.normal(size=_FEATURES)
    deviation = values.std()
    return np.asarray((values - values.mean()) / deviation if deviation > 0 else np.zeros(len(points)))


class Curves:
    """Synthetic learning curves of all configurations of a table of final values.

    Args:
        name: Name of the table, from which all random numbers are derived.
        space: Search space of the table.
        hyperparameters: (N,) values of each hyperparameter.
        final: (N, S) final values.
        mode: `min` or `max`.
        max_resource: Maximum resource R.
    """

    def __init__(
        self,
        name: str,
        space: SearchSpace,
        hyperparameters: Mapping[str, NDArray[Any]],
        final: Floats,
        mode: str,
        max_resource: int,
    ) -> None:
        self._randomness = Randomness(0, 0)
        self._name = name
        self._final = final
        self._sign = -1.0 if mode == "max" else 1.0
        finite = final[np.isfinite(final)]
        low, high = np.quantile(finite, [0.1, 0.9])
        self._log = bool(mode == "min" and low > 0 and high / low > 10)
        quarter, three = np.quantile(self._scale(finite), [0.25, 0.75])
        self.spread = float(three - quarter) / 1.349 or 1.0
        resources = np.arange(1, max_resource + 1, dtype=np.float64)
        end = max_resource**-0.5
        self._gap = (resources**-0.5 - end) / (1 - end) if max_resource > 1 else np.zeros(1)
        points = np.array([[d.encode(v) for v in hyperparameters[n].tolist()] for n, d in space.domains.items()]).T
        self._start = 0.5 + 2.0 / (1.0 + np.exp(-1.7 * self._smooth(points, "start")))
        self._region = self._smooth(points, "region")
        targets = np.array([target_correlation(int(r), max_resource) for r in resources])
        drift = float(self._start.var()) * self._gap**2
        self._noise = np.sqrt(np.maximum(1.0 / targets**2 - 1.0 - drift, 0.0))

    def _scale(self, values: Any) -> Any:
        return np.log(values) if self._log else self._sign * values

    def _smooth(self, points: Floats, kind: str) -> Floats:
        return smooth_function(points, self._randomness.stream(f"curves/{self._name}/{kind}"))

    def of_replicate(self, replicate: int) -> Floats:
        """Return the (N, R) curves of all configurations in one of the recorded trainings, which end in its final values."""
        from scipy.special import log_ndtr

        final = self._final[:, replicate, None]
        rng = self._randomness.stream(f"curves/{self._name}/noise", replicate)
        wobble = 0.7 * self._region[:, None] + 0.714 * rng.standard_normal((len(final), len(self._gap)))
        above = self._start[:, None] * self._gap + self._noise * -log_ndtr(-wobble)
        scaled = self._scale(final) + self.spread * above
        values = np.exp(np.minimum(scaled, 700.0)) if self._log else self._sign * scaled
        if np.nanmin(self._final) >= 0:
            values = np.maximum(values, 0.0)
        values[:, -1] = final[:, 0]
        return np.asarray(values)
