"""Conditional hyperparameters: the values of other hyperparameters (its gates) with which a hyperparameter is used.

    momentum: {type: float, lower: 0.0, upper: 0.99, when: {optimizer: sgd}}
    warmup:   {…, when: {optimizer: [adam, adamw], layers: {lower: 2}}, otherwise: 0.0}

A hyperparameter is used if all of its conditions hold. A condition does not hold if its gate is not used itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo.errors import ConfigError, did_you_mean
from hpo.space.domains import Choice, Domain, Float, Integer


@dataclass(frozen=True)
class Condition:
    """A requirement on the value of one gate, the hyperparameter that decides whether a conditional hyperparameter is used.

    Attributes:
        gate: Name of the gate.
        values: Allowed values, each with its type; None if the condition is a range.
        lower: Smallest allowed integer, inclusive; None for no lower bound.
        upper: Largest allowed integer, inclusive; None for no upper bound.
    """

    gate: str
    values: frozenset[tuple[type, Any]] | None = None
    lower: int | None = None
    upper: int | None = None

    def __str__(self) -> str:
        if self.values is not None:
            return f"{self.gate}={' or '.join(sorted(repr(value) for _, value in self.values))}"
        ends = [f"{word} {end}" for word, end in (("from", self.lower), ("to", self.upper)) if end is not None]
        return " ".join([self.gate, *ends])

    def holds(self, value: Any) -> bool:
        """Whether the condition holds if its gate has this value."""
        if self.values is not None:
            return (type(value), value) in self.values
        if not isinstance(value, int):
            return False
        return (self.lower is None or value >= self.lower) and (self.upper is None or value <= self.upper)

    def borders(self) -> set[int]:
        """Return the integers at which a condition on an integer gate begins or ceases to hold."""
        if self.values is not None:
            return {border for _, value in self.values for border in (value, value + 1)}
        return {border for border in (self.lower, None if self.upper is None else self.upper + 1) if border is not None}


def parse_conditions(
    name: str, when: Any, domains: Mapping[str, Domain], config_space: Mapping[str, Any]
) -> tuple[Condition, ...]:
    """Parse the `when` entry of a conditional hyperparameter.

    Args:
        name: Name of the hyperparameter.
        when: Value of `when` in the YAML.
        domains: Domains of the hyperparameters listed before this one.
        config_space: The whole search space as read from YAML.

    Raises:
        ConfigError: The entry is invalid; the message names the key, the value and the remedy.
    """
    key = f"config_space.{name}.when"
    if not isinstance(when, Mapping) or not when:
        raise ConfigError(
            f"{key}={when!r}: use {{NAME: VALUE}}, such as {{optimizer: sgd}} or {{layers: {{lower: 2}}}}"
        )
    return tuple(
        _condition(f"{key}.{gate}", gate, wanted, _gate(name, gate, domains, config_space))
        for gate, wanted in when.items()
    )


def _gate(name: str, gate: str, domains: Mapping[str, Domain], config_space: Mapping[str, Any]) -> Domain:
    """Return the domain of a gate, which must be listed before the hyperparameters that depend on it."""
    key = f"config_space.{name}.when.{gate}"
    if gate in domains:
        domain = domains[gate]
        if isinstance(domain, Float):
            raise ConfigError(f"{key}: {gate} is a float; only a choice, an ordinal or an int can decide what is used")
        return domain
    if gate not in config_space:
        raise ConfigError(
            f"{key}: {gate!r} is not in config_space{did_you_mean(gate, [n for n in config_space if n != name])}; name a "
            f"hyperparameter above {name}, or remove this condition"
        )
    if chain := _chain_between(gate, name, config_space):
        raise ConfigError(f"{key}: {' waits for '.join([name, *chain])}; remove one of these conditions")
    if not isinstance(config_space[gate], Mapping):
        raise ConfigError(
            f"{key}: {gate} is the constant {config_space[gate]!r}; tune it, as in {gate}: {{type: choice, values: […]}}, or "
            "remove this condition"
        )
    raise ConfigError(f"{key}: {gate} stands below {name}; move {gate} above it")


def _chain_between(start: str, target: str, config_space: Mapping[str, Any]) -> list[str]:
    """Return a chain of names that leads from `start` through its conditions to `target`; empty if there is none."""
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop()
        if way[-1] == target:
            return way
        for gate in _gates_of(config_space.get(way[-1])):
            if gate not in seen:
                seen.add(gate)
                ways.append([*way, gate])
    return []


def gates_first(config_space: Mapping[str, Any]) -> dict[str, Any]:
    """Reorder a search space so that every hyperparameter comes after its gates; otherwise keep the order.

    Search spaces of earlier versions were stored with their names sorted. Hyperparameters whose conditions form a cycle keep
    their places, and are rejected later when the space is parsed.
    """
    waiting: dict[str, Any] = dict(config_space)
    ordered: dict[str, Any] = {}
    while waiting:
        free = (name for name, spec in waiting.items() if not any(gate in waiting for gate in _gates_of(spec)))
        if (name := next(free, None)) is None:
            return {**ordered, **waiting}
        ordered[name] = waiting.pop(name)
    return ordered


def _gates_of(spec: Any) -> Sequence[str]:
    """Return the names of the gates of a hyperparameter; empty if it is always used."""
    when = spec.get("when") if isinstance(spec, Mapping) else None
    return list(when) if isinstance(when, Mapping) else []


def _condition(key: str, gate: str, wanted: Any, domain: Domain) -> Condition:
    if isinstance(wanted, Mapping):
        return _between(key, gate, wanted, domain)
    values = list(wanted) if isinstance(wanted, Sequence) and not isinstance(wanted, str) else [wanted]
    if not values:
        raise ConfigError(f"{key}=[]: it never holds; list values of {gate}, which are {domain}")
    for value in values:
        if value is None:
            raise ConfigError(f"{key}=null: name a value of {gate}, which are {domain}, or remove this condition")
        if value not in domain:
            raise ConfigError(
                f"{key}={value!r}: {gate} is never that but {domain}; use what it can be, or remove the hyperparameter"
            )
    return Condition(gate, frozenset((type(value), value) for value in values))


def _between(key: str, gate: str, bounds: Mapping[str, Any], domain: Domain) -> Condition:
    if isinstance(domain, Choice) and not domain.ordered:
        raise ConfigError(f"{key}: {gate} is a choice, which has no order; list its values: {domain}")
    if not bounds or not set(bounds) <= {"lower", "upper"}:
        raise ConfigError(f"{key}={dict(bounds)}: use {{lower: …}}, {{upper: …}} or both")
    whole, numbers = isinstance(domain, Integer), all(_is_number(value) for value in domain.values(2))
    for end, bound in bounds.items():
        fits = (_is_number(bound) and not (whole and bound % 1)) if numbers else bound in domain
        if not fits:
            wanted = "a whole number" if whole else "a number" if numbers else "one of its values"
            raise ConfigError(f"{key}.{end}={bound!r}: {wanted} is needed; {gate} is {domain}")
    lower, upper = bounds.get("lower"), bounds.get("upper")
    if isinstance(domain, Integer):
        found = Condition(gate, None, *(None if bound is None else int(bound) for bound in (lower, upper)))
        least = domain.lower if found.lower is None else max(found.lower, domain.lower)
        first = domain.lower - (domain.lower - least) // domain.step * domain.step  # smallest value from `least` on
        possible = first in domain and found.holds(first)
    else:
        assert isinstance(domain, Choice)
        place = (lambda value: value) if numbers else domain.index
        listed = [
            value
            for value in domain.choices
            if (lower is None or place(value) >= place(lower)) and (upper is None or place(value) <= place(upper))
        ]
        found, possible = Condition(gate, frozenset((type(value), value) for value in listed)), bool(listed)
    if not possible:
        raise ConfigError(f"{key}={dict(bounds)}: {gate} is never that but {domain}; use other bounds")
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def check_otherwise(name: str, value: Any, domain: Domain, *, conditional: bool) -> None:
    """Raise ConfigError unless `value` is a valid argument to pass to the program while the hyperparameter is not used."""
    key = f"config_space.{name}.otherwise={value!r}"
    if not conditional:
        raise ConfigError(f"{key}: it is passed where `when` does not hold; add when, or remove it")
    if isinstance(domain, Choice):
        fits, wanted = isinstance(value, str | int | float), "a plain value, as the listed ones"
    elif isinstance(domain, Integer):
        fits, wanted = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    else:
        fits, wanted = _is_number(value), "a number"
    if not fits:
        raise ConfigError(f"{key}: use {wanted}; without `otherwise` nothing is passed")
