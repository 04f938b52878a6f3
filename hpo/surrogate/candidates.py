"""Where the next configuration is looked for: everywhere, and around those that did well."""

from collections.abc import Callable, Sequence

import numpy as np

from hpo.events.values import Configuration
from hpo.randomness import canonical
from hpo.space.domains import Choice, Domain
from hpo.space.search_space import SearchSpace

DECAY = 0.6
"""A mutation moves an ordered hyperparameter by k levels with probability in proportion to (1 - DECAY)^k."""

LEVELS = 16
"""A hyperparameter with more values is moved as if it had so many levels, by a fraction of one at random."""

RATE = 0.25
"""Each hyperparameter is mutated with this probability at least, and one of d at least."""


def draw(
    space: SearchSpace,
    rng: np.random.Generator,
    parents: Sequence[Configuration],
    count: int,
    is_known: Callable[[Configuration], bool],
    *,
    tries: int = 10,
    prior: bool = False,
) -> list[Configuration]:
    """Up to `count` different unknown configurations, half uniform and half mutations of `parents`.

    With `prior`, every other one of the uniform ones is drawn from the prior instead.

    Args:
        space: what is searched.
        rng: where chance comes from.
        parents: without any, all are uniform.
        count: how many.
        is_known: those to leave out.
        tries: draws per configuration before fewer are returned.
        prior: does what a user believes count?
    """
    found: dict[str, Configuration] = {}
    for attempt in range(count * tries):
        if len(found) == count:
            break
        if parents and len(found) >= count // 2:
            configuration = mutate(space, parents[attempt % len(parents)], rng)
        else:
            configuration = space.sample_prior(rng) if prior and attempt % 2 else space.sample(rng)
        if not is_known(configuration):
            found.setdefault(canonical(configuration), configuration)
    return list(found.values())


def is_within(space: SearchSpace, configuration: Configuration) -> bool:
    """Does it lie in a space without conditions?"""
    return all(configuration[name] in domain for name, domain in space.domains.items())


def mutate(space: SearchSpace, parent: Configuration, rng: np.random.Generator) -> Configuration:
    """A neighbour of `parent`: at least one hyperparameter with more than one value is changed.

    What a changed one brings into use has a uniform value.
    """
    names = [name for name, domain in space.domains.items() if domain.size > 1 and name in parent]
    if not names:
        return dict(parent)
    changed = rng.random(len(names)) < max(1 / len(names), RATE)
    changed[rng.integers(len(names))] = True
    moved = {name: _move(space.domains[name], parent[name], rng) for name, do in zip(names, changed, strict=True) if do}
    if not space.conditions:
        return {**parent, **moved}
    units = rng.random(len(space)).tolist()
    fresh = {name: domain.decode(unit) for (name, domain), unit in zip(space.domains.items(), units, strict=True)}
    return space.used({**fresh, **parent, **moved})


def _move(domain: Domain, value: object, rng: np.random.Generator) -> object:
    if isinstance(domain, Choice) and not domain.ordered:
        others = [choice for index, choice in enumerate(domain.choices) if index != domain.index(value)]
        return others[int(rng.integers(len(others)))]
    size = int(min(domain.size, LEVELS))
    levels = float(min(rng.geometric(DECAY), max(size // 2, 1)))
    if domain.size > LEVELS:
        levels -= rng.random()  # anywhere between two levels
    levels *= 1 if rng.random() < 0.5 else -1
    if domain.size <= LEVELS:
        values = list(domain.values(size))
        index = domain.index(value) if isinstance(domain, Choice) else values.index(value)
        there = index + int(levels)
        return values[there if 0 <= there < size else index - int(levels)]
    step = levels / size
    moved = _moved(domain, value, step)
    while moved == value and abs(step) < 1:  # less than half of the way to the next value
        step *= 2
        moved = _moved(domain, value, step)
    return moved


def _moved(domain: Domain, value: object, step: float) -> object:
    """The value so far away, on the other side where the domain ends."""
    unit = domain.encode(value)
    moved = unit + step
    if not 0 <= moved <= 1:
        moved = unit - step
    return domain.decode(min(max(moved, 0.0), 1.0))
