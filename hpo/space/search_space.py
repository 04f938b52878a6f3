"""Search spaces: typed domains parsed from YAML, sampled and encoded in the unit cube.

lr:     {type: float, lower: 1.0e-4, upper: 1.0, log: true}
layers: {type: int, lower: 1, upper: 4}
width:  {type: ordinal, values: [32, 64, 128]}
act:    {type: choice, values: [relu, tanh]}
momentum: {type: float, lower: 0.5, upper: 0.999, reverse_log: true}
dropout:  {type: float, lower: 0.0, upper: 0.9, step: 0.1}
optimizer: adam                                    # a constant
decay:    {type: float, lower: 0.0, upper: 0.9, when: {act: relu}}       # used for some values of others only
rate:     {type: float, lower: 0.0, upper: 1.0, default: 0.1, confidence: high}     # where good values are thought to be
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.values import Configuration
from hpo.space.branches import Branches, Conditions, domain_parts, list_parts
from hpo.space.conditions import Condition, check_otherwise, parse_conditions
from hpo.space.domains import Choice, Domain
from hpo.space.expressions import spec_of
from hpo.space.priors import AnyPrior, log_density, parse_prior
from hpo.space.specs import check_constant, check_spelling, parse_domain


@dataclass(frozen=True)
class SearchSpace:
    """Named domains, in the order of the YAML, and the constants that stand among them."""

    domains: Mapping[str, Domain]
    constants: Mapping[str, Any] = field(default_factory=dict)
    spelling: Mapping[str, str] = field(default_factory=dict)
    """The `argument` of those that the program calls otherwise, by their names here."""

    conditions: Conditions = field(default_factory=dict)
    """Of those that are not always used: all must hold. What is not used is absent from a configuration."""
    otherwise: Mapping[str, Any] = field(default_factory=dict)
    """What the program gets of those that are not used; nothing unless it stands here."""
    chosen: Mapping[str, Any] = field(default_factory=dict)
    """The `default` of those that have one; of others it is the centre."""
    priors: Mapping[str, AnyPrior] = field(default_factory=dict)
    """Of those of which a user is confident."""

    def __len__(self) -> int:
        return len(self.domains)

    @property
    def size(self) -> float:
        """Number of different configurations; infinite when a domain is continuous."""
        return self.branches.count if self.conditions else math.prod(domain.size for domain in self.domains.values())

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """Of every hyperparameter: as given, else the centre of its domain."""
        return {name: self.chosen.get(name, domain.default) for name, domain in self.domains.items()}

    @property
    def default(self) -> Configuration:
        """Where a search starts."""
        return self.used(self.defaults)

    def is_used(self, name: str, earlier: Mapping[str, Any]) -> bool:
        """Is a hyperparameter used where those before it, as far as they are used, have these values?"""
        conditions = self.conditions.get(name, ())
        return not conditions or all(c.gate in earlier and c.holds(earlier[c.gate]) for c in conditions)

    def used(self, values: Mapping[str, Any]) -> Configuration:
        """The configuration that is left of a value for every hyperparameter."""
        if not self.conditions:
            return {name: values[name] for name in self.domains}
        found: dict[str, Any] = {}
        for name in self.domains:
            if self.is_used(name, found):
                found[name] = values[name]
        return found

    def names_of(self, configuration: Mapping[str, Any]) -> list[str]:
        """The names that a configuration with these values has."""
        if not self.conditions:
            return list(self.domains)
        found: dict[str, Any] = {}
        for name in self.domains:
            if self.is_used(name, found):
                found[name] = configuration.get(name)
        return list(found)

    def passed(self, configuration: Configuration) -> Configuration:
        """What the program gets: the configuration, and `otherwise` of what is not used."""
        missing = {name: value for name, value in self.otherwise.items() if name not in configuration}
        return {**configuration, **missing} if missing else configuration

    def decode(self, units: Sequence[float]) -> Configuration:
        """The configuration at a point of the unit cube, one coordinate per domain, also of what is not used there."""
        pairs = zip(self.domains.items(), units, strict=True)
        if not self.conditions:
            return {name: domain.decode(float(unit)) for (name, domain), unit in pairs}
        found: dict[str, Any] = {}
        for (name, domain), unit in pairs:
            if self.is_used(name, found):
                found[name] = domain.decode(float(unit))
        return found

    def sample(self, rng: np.random.Generator) -> Configuration:
        """A random configuration, uniform on each domain's scale; conditions do not make a value of a gate more likely."""
        return self.decode(rng.random(len(self.domains)).tolist())

    def sample_prior(self, rng: np.random.Generator) -> Configuration:
        """A random configuration, of each hyperparameter from its prior, where it has one."""
        if not self.priors:
            return self.sample(rng)
        units = rng.random(len(self.domains)).tolist()
        pairs = zip(self.domains, units, strict=True)
        return self.decode([self.priors[name].quantile(unit) if name in self.priors else unit for name, unit in pairs])

    def log_prior(self, configuration: Configuration) -> float:
        """The logarithm of the prior density, relative to a uniform one."""
        return log_density(self.priors, self.domains, configuration)

    @cached_property
    def branches(self) -> Branches[Domain]:
        """Its domains, cut where conditions tell their values apart."""
        return Branches(domain_parts(self.domains, self.conditions), self.conditions)

    def grid(self, most: int) -> Branches[Sequence[Any]]:
        """The combinations of the values of every domain, at most `most` of a numeric one."""
        axes = {name: domain.values(most) for name, domain in self.domains.items()}
        return Branches(list_parts(axes, self.conditions), self.conditions)

    def enumerate(self) -> Iterator[Configuration]:
        """All configurations of a finite space; without conditions in lexicographic order."""
        for way in self.branches.walk():
            used = {name: way[name].values for name in self.domains if name in way}
            for values in itertools.product(*(domain.values(int(domain.size)) for domain in used.values())):
                yield dict(zip(used, values, strict=True))

    def covering(self) -> list[Configuration]:
        """A few configurations: the default, and one for each range of values that conditions tell apart."""
        found = [self.default]
        defaults = self.defaults
        for name in self.branches.order if self.conditions else ():
            for part in self.branches.parts[name]:
                if not any(name in known and known[name] in part.values for known in found):
                    found.append(self.branches.example(defaults, name, part))
        return found

    def complete(self, point: Mapping[str, Any], key: str) -> Configuration:
        """`point` with the default of every hyperparameter it leaves out.

        Raises:
            ConfigError: it names an unknown hyperparameter, one that is not used there, or a value outside its domain.
        """
        for name, value in point.items():
            if name not in self.domains:
                raise ConfigError(f"{key}: {name!r} is not in config_space ({', '.join(self.domains)})")
            if value not in self.domains[name]:
                raise ConfigError(f"{key}: {name}={value!r} is outside its domain {self.domains[name]}")
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
    """The `index`-th element of the Cartesian product of `axes`, the last axis running fastest."""
    values: list[Any] = []
    for axis in reversed(axes):
        index, digit = divmod(index, len(axis))
        values.append(axis[digit])
    return values[::-1]


def parse_space(config_space: Mapping[str, Any]) -> SearchSpace:
    """The search space that the YAML under `config_space` describes.

    Raises:
        ConfigError: naming the key, the value and what would be right.
    """
    domains: dict[str, Domain] = {}
    constants: dict[str, Any] = {}
    spelling: dict[str, str] = {}
    conditions: dict[str, tuple[Condition, ...]] = {}
    otherwise: dict[str, Any] = {}
    chosen: dict[str, Any] = {}
    priors: dict[str, AnyPrior] = {}
    for name, spec in config_space.items():
        spec = (spec_of(spec) if isinstance(spec, str) else None) or spec
        if isinstance(spec, Mapping):
            given = dict(spec)
            if (argument := given.pop("argument", None)) is not None:
                spelling[name] = check_spelling(f"config_space.{name}.argument", argument)
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
    """Raise ConfigError where a hyperparameter is used nowhere, or where two give the program the same argument at once."""
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
    """Raise ConfigError unless at most one of two hyperparameters gives the program its argument."""
    if given := next((name for name in (one, other) if name in space.otherwise), None):
        raise ConfigError(
            f"config_space.{given}.otherwise: {one} and {other} share the argument {argument}, and it would be passed beside "
            "the other's value; remove otherwise"
        )
    both = (*space.conditions.get(one, ()), *space.conditions.get(other, ()))
    conditions = {**space.conditions, "": both}
    together = Branches(domain_parts({**space.domains, "": Choice((None,))}, conditions), conditions)
    if "" in together.used()[0]:
        raise ConfigError(
            f"config_space.{other}.argument={argument}: {one} has it too, and both can be used at once; let their `when` "
            "exclude each other"
        )
