"""Search spaces: typed domains parsed from YAML, sampled from and encoded in the unit cube.

lr:     {type: float, lower: 1.0e-4, upper: 1.0, log: true}
layers: {type: int, lower: 1, upper: 4}
width:  {type: ordinal, values: [32, 64, 128]}
act:    {type: choice, values: [relu, tanh]}
momentum: {type: float, lower: 0.5, upper: 0.999, reverse_log: true}
dropout:  {type: float, lower: 0.0, upper: 0.9, step: 0.1}
optimizer: adam                                    # a constant
decay:    {type: float, lower: 0.0, upper: 0.9, when: {act: relu}}       # conditional: used only if act is relu
rate:     {type: float, lower: 0.0, upper: 1.0, default: 0.1, confidence: high}     # prior: good values are near 0.1
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hpo.errors import ConfigError
from hpo.events.types import Configuration
from hpo.space.combinations import Combinations, Conditions, domain_parts, list_parts
from hpo.space.conditions import Condition, check_otherwise, parse_conditions
from hpo.space.domain_parsing import check_argument_name, check_constant, parse_domain
from hpo.space.domains import Choice, Domain
from hpo.space.priors import AnyPrior, log_density, parse_prior
from hpo.space.sweeper_syntax import parse_sweeper_expression

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class SearchSpace:
    """A search space: the domain of each hyperparameter in the order of the YAML, and the constants among them."""

    domains: Mapping[str, Domain]
    constants: Mapping[str, Any] = field(default_factory=dict)
    spelling: Mapping[str, str] = field(default_factory=dict)
    """Names under which the program expects hyperparameters (`argument` in the YAML), by name; only if they differ."""

    conditions: Conditions = field(default_factory=dict)
    """Conditions of each conditional hyperparameter. Unless all hold, it is absent from the configuration."""
    otherwise: Mapping[str, Any] = field(default_factory=dict)
    """Values that the program gets for hyperparameters that are not used; for those not listed it gets nothing."""
    chosen: Mapping[str, Any] = field(default_factory=dict)
    """Default values given in the YAML, by name; the others default to the centre of their domain."""
    priors: Mapping[str, AnyPrior] = field(default_factory=dict)
    """Prior distributions of the hyperparameters for which the YAML gives a confidence, by name."""

    def __len__(self) -> int:
        return len(self.domains)

    @property
    def size(self) -> float:
        """Number of distinct configurations; infinite if a domain is continuous."""
        return self.branches.count if self.conditions else math.prod(domain.size for domain in self.domains.values())

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """Default value of every hyperparameter: the one given in the YAML, else the centre of its domain."""
        return {name: self.chosen.get(name, domain.default) for name, domain in self.domains.items()}

    @property
    def default(self) -> Configuration:
        """The configuration of default values, where a search starts."""
        return self.used(self.defaults)

    def is_used(self, name: str, earlier: Mapping[str, Any]) -> bool:
        """Whether a hyperparameter is used, given the values of the hyperparameters before it that are used."""
        conditions = self.conditions.get(name, ())
        return not conditions or all(c.gate in earlier and c.holds(earlier[c.gate]) for c in conditions)

    def used(self, values: Mapping[str, Any]) -> Configuration:
        """Return the configuration made of the given values, without those of hyperparameters that are not used."""
        if not self.conditions:
            return {name: values[name] for name in self.domains}
        found: dict[str, Any] = {}
        for name in self.domains:
            if self.is_used(name, found):
                found[name] = values[name]
        return found

    def used_names(self, configuration: Mapping[str, Any]) -> list[str]:
        """Return the names of the hyperparameters that are used in a configuration with these values."""
        if not self.conditions:
            return list(self.domains)
        found: dict[str, Any] = {}
        for name in self.domains:
            if self.is_used(name, found):
                found[name] = configuration.get(name)
        return list(found)

    def passed(self, configuration: Configuration) -> Configuration:
        """Return what the program gets: the configuration, and the `otherwise` values of unused hyperparameters."""
        missing = {name: value for name, value in self.otherwise.items() if name not in configuration}
        return {**configuration, **missing} if missing else configuration

    def decode(self, units: Sequence[float]) -> Configuration:
        """Return the configuration at a point of the unit cube, which has a coordinate for every domain, used or not."""
        pairs = zip(self.domains.items(), units, strict=True)
        if not self.conditions:
            return {name: domain.decode(float(unit)) for (name, domain), unit in pairs}
        found: dict[str, Any] = {}
        for (name, domain), unit in pairs:
            if self.is_used(name, found):
                found[name] = domain.decode(float(unit))
        return found

    def sample(self, rng: "np.random.Generator") -> Configuration:
        """Draw a random configuration, uniform on each domain's scale; conditions do not change the odds of any value."""
        return self.decode(rng.random(len(self.domains)).tolist())

    def sample_prior(self, rng: "np.random.Generator") -> Configuration:
        """Draw a random configuration, each hyperparameter from its prior, or uniformly if it has none."""
        if not self.priors:
            return self.sample(rng)
        units = rng.random(len(self.domains)).tolist()
        pairs = zip(self.domains, units, strict=True)
        return self.decode([self.priors[name].quantile(unit) if name in self.priors else unit for name, unit in pairs])

    def log_prior(self, configuration: Configuration) -> float:
        """Return the logarithm of a configuration's prior density, relative to the uniform density."""
        return log_density(self.priors, self.domains, configuration)

    @cached_property
    def branches(self) -> Combinations[Domain]:
        """All combinations of value ranges that conditions allow; a range holds values that the conditions treat alike."""
        return Combinations(domain_parts(self.domains, self.conditions), self.conditions)

    def grid(self, most: int) -> Combinations[Sequence[Any]]:
        """Return the grid of combinations of values, with at most `most` values for each numeric domain."""
        axes = {name: domain.values(most) for name, domain in self.domains.items()}
        return Combinations(list_parts(axes, self.conditions), self.conditions)

    def enumerate(self) -> Iterator[Configuration]:
        """Yield all configurations of a finite space; in lexicographic order if it has no conditions."""
        for way in self.branches.walk():
            used = {name: way[name].values for name in self.domains if name in way}
            for values in itertools.product(*(domain.values(int(domain.size)) for domain in used.values())):
                yield dict(zip(used, values, strict=True))

    def covering_configurations(self) -> list[Configuration]:
        """Return the default configuration and a few more, which cover all ranges of values that conditions distinguish."""
        found = [self.default]
        defaults = self.defaults
        for name in self.branches.order if self.conditions else ():
            for part in self.branches.parts[name]:
                if not any(name in known and known[name] in part.values for known in found):
                    found.append(self.branches.example(defaults, name, part))
        return found

    def complete(self, point: Mapping[str, Any], key: str) -> Configuration:
        """Return `point` as a complete configuration, with the default of every hyperparameter that it leaves out.

        Raises:
            ConfigError: The point names an unknown hyperparameter, one that is not used there, or a value outside its domain.
        """
        for name, value in point.items():
            if name not in self.domains:
                raise ConfigError(f"{key}: {name!r} is not in config_space ({', '.join(self.domains)})")
            if value not in self.domains[name]:
                raise ConfigError(
                    f"{key}: {name}={value!r} is outside its domain {self.domains[name]}; use one of its values, or change "
                    f"benchmark.config_space.{name}"
                )
        values = {
            name: domain.normalise(point[name]) if name in point else self.defaults[name]
            for name, domain in self.domains.items()
        }
        complete = self.used(values)
        if unused := next((name for name in point if name not in complete), None):
            gates = (condition for condition in self.conditions[unused])
            closed = next(c.gate for c in gates if c.gate not in complete or not c.holds(complete[c.gate]))
            state = f"{closed}={complete[closed]!r}" if closed in complete else f"{closed} is not used"
            raise ConfigError(
                f"{key}: {unused}={point[unused]!r} is not used where {state}; leave it out, or give {closed} another value"
            )
        return complete


def mixed_radix(index: int, axes: Sequence[Sequence[Any]]) -> list[Any]:
    """Return element number `index` of the Cartesian product of `axes`, in which the last axis changes fastest."""
    values: list[Any] = []
    for axis in reversed(axes):
        index, digit = divmod(index, len(axis))
        values.append(axis[digit])
    return values[::-1]


def parse_space(config_space: Mapping[str, Any]) -> SearchSpace:
    """Parse the YAML entry `config_space` into a search space.

    Raises:
        ConfigError: The entry is invalid; the message names the key, the value and the remedy.
    """
    domains: dict[str, Domain] = {}
    constants: dict[str, Any] = {}
    spelling: dict[str, str] = {}
    conditions: dict[str, tuple[Condition, ...]] = {}
    otherwise: dict[str, Any] = {}
    chosen: dict[str, Any] = {}
    priors: dict[str, AnyPrior] = {}
    for name, spec in config_space.items():
        spec = (parse_sweeper_expression(spec) if isinstance(spec, str) else None) or spec
        if isinstance(spec, Mapping):
            given = dict(spec)
            if (argument := given.pop("argument", None)) is not None:
                spelling[name] = check_argument_name(f"config_space.{name}.argument", argument)
            when, instead = given.pop("when", None), given.pop("otherwise", None)
            default, confidence = given.pop("default", None), given.pop("confidence", None)
            if when is not None:
                conditions[name] = parse_conditions(name, when, domains, config_space)
            domains[name] = parse_domain(f"config_space.{name}", given)
            if instead is not None:
                check_otherwise(name, instead, domains[name], conditional=name in conditions)
                otherwise[name] = instead
            if default is not None or confidence is not None:
                chosen[name], prior = parse_prior(f"config_space.{name}", domains[name], default, confidence)
                if prior is not None:
                    priors[name] = prior
        else:
            check_constant(f"config_space.{name}", spec)
            constants[name] = spec
    if not domains:
        raise ConfigError(
            "config_space has no hyperparameter to tune; add one, such as lr: {type: float, lower: 1.0e-4, upper: 1.0}"
        )
    space = SearchSpace(domains, constants, spelling, conditions, otherwise, chosen, priors)
    if conditions:
        _check_conditions(space)
    return space


def _check_conditions(space: SearchSpace) -> None:
    """Raise ConfigError if a hyperparameter can never be used, or if two that can be used together share an argument."""
    somewhere, _ = space.branches.used()
    for name, all_of in space.conditions.items():
        if name not in somewhere:
            raise ConfigError(
                f"config_space.{name}.when: {' and '.join(map(str, all_of))} never come together: change one, or remove it"
            )
    by_argument: dict[str, list[str]] = {}
    for name in space.domains:
        by_argument.setdefault(space.spelling.get(name, name), []).append(name)
    for argument, names in by_argument.items():
        for one, other in itertools.combinations(names, 2):
            if one in space.conditions or other in space.conditions:
                _check_apart(space, argument, one, other)


def _check_apart(space: SearchSpace, argument: str, one: str, other: str) -> None:
    """Raise ConfigError if two hyperparameters could both pass a value for the same argument of the program."""
    if given := next((name for name in (one, other) if name in space.otherwise), None):
        raise ConfigError(
            f"config_space.{given}.otherwise: {one} and {other} share the argument {argument}, and it would be passed beside "
            "the other's value; remove otherwise"
        )
    both = (*space.conditions.get(one, ()), *space.conditions.get(other, ()))
    conditions = {**space.conditions, "": both}
    together = Combinations(domain_parts({**space.domains, "": Choice((None,))}, conditions), conditions)
    if "" in together.used()[0]:
        raise ConfigError(
            f"config_space.{other}.argument={argument}: {one} has it too, and both can be used at once; let their `when` "
            "exclude each other"
        )
