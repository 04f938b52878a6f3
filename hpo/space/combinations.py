"""Counting and numbering the configurations of a space with conditional hyperparameters, without listing them.

Hyperparameters are visited in an order that places each conditional one right after its last gate (a gate is a hyperparameter
that a condition refers to). At each step, all that matters about the values so far is which later hyperparameters they rule
out. That set is called the state. The algorithm is dynamic programming over states, of which there are few.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hpo.errors import ConfigError
from hpo.space.conditions import Condition
from hpo.space.domains import Choice, Domain, Integer

MOST_STATES = 10_000

Values = TypeVar("Values")
Conditions = Mapping[str, tuple[Condition, ...]]
Children = dict[str, dict[str, list[Condition]]]
Closed = frozenset[str]


@dataclass(frozen=True, slots=True)
class ValueRange(Generic[Values]):
    """A subset of a hyperparameter's values that all conditions treat alike.

    Attributes:
        values: The subset, either as a domain or as a list of values.
        count: Number of values in the subset; infinite for a continuous domain.
        closes: Names of the conditional hyperparameters that are not used if this one takes a value of the subset.
    """

    values: Values
    count: float
    closes: Closed


Step = tuple[ValueRange[Values] | None, Closed, float]
"""An option for a hyperparameter: part (None: not used), names ruled out after it, number of ways to complete it."""


class Combinations(Generic[Values]):
    """All combinations of parts that a search space with conditions allows.

    Args:
        parts: The parts of each hyperparameter, in the order of the space.
        conditions: The conditions of each conditional hyperparameter.

    Attributes:
        order: Names of the hyperparameters in the order in which they are visited.
        count: Number of configurations; infinite if a domain is continuous.

    Raises:
        ConfigError: The conditions distinguish too many combinations of values.
    """

    def __init__(self, parts: Mapping[str, Sequence[ValueRange[Values]]], conditions: Conditions) -> None:
        self.parts = parts
        self._children = children_of(conditions)
        self.order = list(_order(parts, conditions, self._children))
        states: set[Closed] = {frozenset()}
        ways: list[dict[Closed, list[tuple[ValueRange[Values] | None, Closed]]]] = []  # by position and state
        for name in self.order:
            ways.append({closed: list(self._steps(name, closed)) for closed in states})
            states = {after for steps in ways[-1].values() for _, after in steps}
            if len(states) > MOST_STATES:
                raise ConfigError(
                    f"config_space.{name}: up to it `when` distinguishes more than {MOST_STATES:,} combinations of values; "
                    "let hyperparameters depend on fewer others"
                )
        self._layers: list[dict[Closed, list[Step[Values]]]] = []
        counts: dict[Closed, float] = dict.fromkeys(states, 1)
        for layer in reversed(ways):
            self._layers.append(
                {k: [(part, after, counts[after]) for part, after in steps] for k, steps in layer.items()}
            )
            counts = {
                closed: sum(count if part is None else part.count * count for part, _, count in steps)
                for closed, steps in self._layers[-1].items()
            }
        self._layers.reverse()
        self.count: float = counts[frozenset()]

    def _steps(self, name: str, closed: Closed) -> Iterator[tuple[ValueRange[Values] | None, Closed]]:
        """Yield each part that `name` can take (None: not used) if `closed` is ruled out, with what is ruled out after it."""
        if name in closed:
            yield None, closed.union(self._children.get(name, ())) - {name}
        else:
            for part in self.parts[name]:
                yield part, closed | part.closes

    def used(self) -> tuple[set[str], set[str]]:
        """Return the names that are used in at least one configuration, and those that are used in every configuration."""
        names = list(zip(self.order, self._layers, strict=True))
        somewhere = {name for name, layer in names if any(name not in closed for closed in layer)}
        return somewhere, {name for name, layer in names if all(name not in closed for closed in layer)}

    def walk(self) -> Iterator[dict[str, ValueRange[Values]]]:
        """Yield every allowed combination of parts, as a mapping from the names in use to their parts."""
        stack: list[tuple[Closed, dict[str, ValueRange[Values]], int]] = [(frozenset(), {}, 0)]
        while stack:
            closed, found, position = stack.pop()
            if position == len(self.order):
                yield found
                continue
            name = self.order[position]
            ways = self._layers[position][closed]
            stack += [
                (after, found if part is None else {**found, name: part}, position + 1)
                for part, after, _ in reversed(ways)
            ]

    def at(self: "Combinations[Sequence[Any]]", index: int) -> dict[str, Any]:
        """Return the configuration number `index`, counted from 0; in lexicographic order if the space has no conditions."""
        found: dict[str, Any] = {}
        closed: Closed = frozenset()
        for name, layer in zip(self.order, self._layers, strict=True):
            for part, after, ways in layer[closed]:
                if part is None:
                    closed = after
                elif index < part.count * ways:
                    digit, index = divmod(index, int(ways))
                    found[name], closed = part.values[digit], after
                    break
                else:
                    index -= int(part.count * ways)
        return {name: found[name] for name in self.parts if name in found} if self._children else found

    def example(
        self: "Combinations[Domain]", defaults: Mapping[str, Any], wanted: str, among: ValueRange[Domain]
    ) -> dict[str, Any]:
        """Return the configuration with the most default values in which `wanted` has a value of its part `among`."""
        best: dict[Closed, tuple[int, dict[str, Any]]] = {frozenset(): (0, {})}
        for name, layer in zip(self.order, self._layers, strict=True):
            ahead: dict[Closed, tuple[int, dict[str, Any]]] = {}
            for closed, (others, found) in best.items():
                for part, after, _ in layer[closed]:
                    if name == wanted and part != among:
                        continue
                    if part is None:
                        cost, values = others, found
                    else:
                        usual = defaults[name] in part.values
                        value = defaults[name] if usual else part.values.default
                        cost, values = others + (not usual), {**found, name: value}
                    if after not in ahead or cost < ahead[after][0]:
                        ahead[after] = cost, values
            best = ahead
        _, found = min(best.values(), key=lambda way: way[0])
        return {name: found[name] for name in self.parts if name in found}


def domain_parts(domains: Mapping[str, Domain], conditions: Conditions) -> dict[str, list[ValueRange[Domain]]]:
    """Split each domain into the parts that conditions treat differently."""
    children = children_of(conditions)
    found = {}
    for name, domain in domains.items():
        waiting = children.get(name, {})
        pieces = [domain] if not waiting else _pieces(domain, waiting)
        found[name] = [ValueRange(piece, piece.size, _closes(waiting, piece.default)) for piece in pieces]
    return found


def list_parts(axes: Mapping[str, Sequence[Any]], conditions: Conditions) -> dict[str, list[ValueRange[Sequence[Any]]]]:
    """Split each list of values into the parts that conditions treat differently."""
    children = children_of(conditions)
    return {
        name: [
            ValueRange(values, len(values), closes) for closes, values in _alike(axis, children.get(name, {})).items()
        ]
        for name, axis in axes.items()
    }


def children_of(conditions: Conditions) -> Children:
    """Return, for each gate, the conditional hyperparameters that depend on it and their conditions on it."""
    found: Children = {}
    for name, all_of in conditions.items():
        for condition in all_of:
            found.setdefault(condition.gate, {}).setdefault(name, []).append(condition)
    return found


def _order(names: Mapping[str, Any], conditions: Conditions, children: Children) -> Iterator[str]:
    placed: set[str] = set()
    for first in names:
        stack = [first]
        while stack:
            name = stack.pop()
            if name not in placed and all(condition.gate in placed for condition in conditions.get(name, ())):
                placed.add(name)
                yield name
                stack += reversed(children.get(name, {}))


def _closes(waiting: Mapping[str, list[Condition]], value: Any) -> Closed:
    return frozenset(name for name, all_of in waiting.items() if not all(c.holds(value) for c in all_of))


def _alike(values: Sequence[Any], waiting: Mapping[str, list[Condition]]) -> dict[Closed, list[Any]]:
    found: dict[Closed, list[Any]] = {}
    for value in values:
        found.setdefault(_closes(waiting, value), []).append(value)
    return found


def _pieces(domain: Domain, waiting: Mapping[str, list[Condition]]) -> list[Domain]:
    if isinstance(domain, Choice):
        return [Choice(tuple(values), domain.ordered) for values in _alike(domain.choices, waiting).values()]
    assert isinstance(domain, Integer)
    step, last = domain.step, domain.lower + (int(domain.size) - 1) * domain.step
    ends_of = (border for all_of in waiting.values() for c in all_of for border in c.borders())
    borders = {math.ceil((border - domain.lower) / step) * step + domain.lower for border in ends_of}
    starts = sorted({domain.lower, *(border for border in borders if domain.lower < border <= last)})
    ends = [*(start - step for start in starts[1:]), last]
    return [Integer(start, end, domain.scale, step) for start, end in zip(starts, ends, strict=True)]
