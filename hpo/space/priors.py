"""Prior beliefs about good values of a hyperparameter: its `default`, and the `confidence` that good values are near it.

For a numeric or ordinal hyperparameter, the prior is a normal distribution around the default, on the domain's [0, 1] scale
and truncated to it. For a categorical one, it is a probability mass on the default. Densities are relative to the uniform
distribution: their mean over uniform draws is 1.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hpo.errors import ConfigError
from hpo.events.types import Configuration
from hpo.space.domains import Choice, Domain

if TYPE_CHECKING:
    from statistics import NormalDist

SPREAD = {"low": 0.75, "medium": 0.5, "high": 0.25}
"""Standard deviation of a prior, in [0, 1] units, by confidence; a categorical default has the probability 1 minus this."""

LEAST = 1e-12
"""Lower limit of a prior density, so that no value is ruled out completely."""


def _below(z: float) -> float:
    """Return the standard normal cumulative distribution function at z."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


@dataclass(frozen=True)
class Prior:
    """The prior of a numeric or ordinal hyperparameter: a truncated normal distribution over [0, 1].

    Attributes:
        centre: Position of the default value in [0, 1].
        spread: Standard deviation in the same units.
    """

    centre: float
    spread: float

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """The untruncated normal cumulative distribution function at 0 and at 1."""
        return _below(-self.centre / self.spread), _below((1 - self.centre) / self.spread)

    @cached_property
    def log_peak(self) -> float:
        """Logarithm of the density at the centre."""
        low, high = self._ends
        return -math.log(math.sqrt(2 * math.pi) * self.spread * (high - low))

    @cached_property
    def _normal(self) -> "NormalDist":
        from statistics import NormalDist  # takes milliseconds to import; most spaces have no prior

        return NormalDist(self.centre, self.spread)

    def density(self, unit: float) -> float:
        """Return the prior density at a position in [0, 1]; it integrates to 1."""
        z = (unit - self.centre) / self.spread
        return math.exp(self.log_peak - 0.5 * z * z)

    def quantile(self, share: float) -> float:
        """Return the position in [0, 1] below which the given share of the prior's probability lies."""
        low, high = self._ends
        return min(max(self._normal.inv_cdf(low + share * (high - low)), 0.0), 1.0)


@dataclass(frozen=True)
class ChoicePrior:
    """The prior of a categorical hyperparameter: a probability for the default, the rest shared by the other values.

    Attributes:
        index: Position of the default in the list of values.
        count: Number of values.
        mass: Probability of the default.
    """

    index: int
    count: int
    mass: float

    def density(self, unit: float) -> float:
        """Return the prior density at a position in [0, 1]; it integrates to 1."""
        return self.count * self._mass(min(int(unit * self.count), self.count - 1))

    def quantile(self, share: float) -> float:
        """Map a uniform number in [0, 1] to the position of a value drawn from the prior."""
        if share < self.mass or self.count == 1:
            return (self.index + 0.5) / self.count
        other = min(int((share - self.mass) / (1 - self.mass) * (self.count - 1)), self.count - 2)
        return (other + (other >= self.index) + 0.5) / self.count

    def _mass(self, index: int) -> float:
        return self.mass if index == self.index else (1 - self.mass) / max(self.count - 1, 1)


AnyPrior = Prior | ChoicePrior


def make_prior(domain: Domain, value: Any, spread: float) -> AnyPrior:
    """Return the prior that is centred on a value of a domain."""
    if isinstance(domain, Choice) and not domain.ordered:
        count = len(domain.choices)
        return ChoicePrior(domain.index(value), count, max(1 - spread, 1 / count))
    return Prior(domain.encode(value), spread)


def log_density(priors: Mapping[str, AnyPrior], domains: Mapping[str, Domain], configuration: Configuration) -> float:
    """Return the log prior density of a configuration, summed over those of its hyperparameters that have a prior."""
    return sum(
        math.log(max(prior.density(domains[name].encode(configuration[name])), LEAST))
        for name, prior in priors.items()
        if name in configuration
    )


def parse_prior(key: str, domain: Domain, default: Any, confidence: Any) -> tuple[Any, AnyPrior | None]:
    """Return the default value and the prior of a hyperparameter, from its `default` and `confidence` entries.

    Args:
        key: Key of the hyperparameter, for error messages.
        domain: Domain of the hyperparameter.
        default: Value of `default` in the YAML; None if it is missing.
        confidence: Value of `confidence` in the YAML; None if it is missing.

    Raises:
        ConfigError: An entry is invalid; the message names the key, the value and the remedy.
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
