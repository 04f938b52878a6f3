"""What a user believes of a hyperparameter: `default`, where a search starts, and `confidence` that good values are near it.

On the scale of [0, 1] a prior is a normal distribution cut to it, around the default; of a choice, mass on the default.
Densities are relative to uniform ones: their mean over uniform draws is 1.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hpo.errors import ConfigError
from hpo.events.values import Configuration
from hpo.space.domains import Choice, Domain

if TYPE_CHECKING:
    from statistics import NormalDist

SPREAD = {"low": 0.75, "medium": 0.5, "high": 0.25}
"""Standard deviation by confidence; what is left of 1 is the mass on the default of a choice."""

LEAST = 1e-12
"""Densities below count as this, so that nothing is ever ruled out."""


def _below(z: float) -> float:
    """The share of a standard normal distribution below z."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


@dataclass(frozen=True)
class Prior:
    """Of a numeric or ordered hyperparameter.

    Attributes:
        centre: the default, in [0, 1].
        spread: standard deviation there.
    """

    centre: float
    spread: float

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """The normal distribution's function at 0 and at 1."""
        return _below(-self.centre / self.spread), _below((1 - self.centre) / self.spread)

    @cached_property
    def log_peak(self) -> float:
        """The logarithm of the density at the centre."""
        low, high = self._ends
        return -math.log(math.sqrt(2 * math.pi) * self.spread * (high - low))

    @cached_property
    def _normal(self) -> "NormalDist":
        from statistics import NormalDist  # milliseconds that only those spend who have a prior

        return NormalDist(self.centre, self.spread)

    def density(self, unit: float) -> float:
        """At a point of [0, 1]; it integrates to 1."""
        z = (unit - self.centre) / self.spread
        return math.exp(self.log_peak - 0.5 * z * z)

    def quantile(self, share: float) -> float:
        """Where so much of the distribution lies below, in [0, 1]."""
        low, high = self._ends
        return min(max(self._normal.inv_cdf(low + share * (high - low)), 0.0), 1.0)


@dataclass(frozen=True)
class ChoicePrior:
    """Of a choice without an order.

    Attributes:
        index: of the default among the values.
        count: how many there are.
        mass: on the default; the others share the rest.
    """

    index: int
    count: int
    mass: float

    def density(self, unit: float) -> float:
        """At a point of [0, 1]; it integrates to 1."""
        return self.count * self._mass(min(int(unit * self.count), self.count - 1))

    def quantile(self, share: float) -> float:
        """A point of [0, 1] for one that is uniform."""
        if share < self.mass or self.count == 1:
            return (self.index + 0.5) / self.count
        other = min(int((share - self.mass) / (1 - self.mass) * (self.count - 1)), self.count - 2)
        return (other + (other >= self.index) + 0.5) / self.count

    def _mass(self, index: int) -> float:
        return self.mass if index == self.index else (1 - self.mass) / max(self.count - 1, 1)


AnyPrior = Prior | ChoicePrior


def make_prior(domain: Domain, value: Any, spread: float) -> AnyPrior:
    """The prior around a value of a domain."""
    if isinstance(domain, Choice) and not domain.ordered:
        count = len(domain.choices)
        return ChoicePrior(domain.index(value), count, max(1 - spread, 1 / count))
    return Prior(domain.encode(value), spread)


def log_density(priors: Mapping[str, AnyPrior], domains: Mapping[str, Domain], configuration: Configuration) -> float:
    """The logarithm of the density of a configuration; what it does not have, or has no prior, counts for nothing."""
    return sum(
        math.log(max(prior.density(domains[name].encode(configuration[name])), LEAST))
        for name, prior in priors.items()
        if name in configuration
    )


def parse_prior(key: str, domain: Domain, default: Any, confidence: Any) -> tuple[Any, AnyPrior | None]:
    """Default and prior that stand under `key`.

    Args:
        key: for messages.
        domain: of the hyperparameter.
        default: as it stands in the YAML.
        confidence: the same; None where it does not.

    Raises:
        ConfigError: naming the key, the value and what would be right.
    """
    if default is None:
        raise ConfigError(f"{key}.confidence={confidence}: confidence in what? Give {key}.default too, or remove it")
    if default not in domain:
        raise ConfigError(f"{key}.default={default!r}: is outside its domain {domain}; use one of its values")
    default = domain.normalise(default)
    if confidence is None:
        return default, None
    if not isinstance(confidence, str) or confidence not in SPREAD:
        raise ConfigError(f"{key}.confidence={confidence!r}: use {', '.join(SPREAD)}")
    return default, make_prior(domain, default, SPREAD[confidence])
