"""Candidate configurations for a proposal: uniform ones, and mutations of configurations with good results."""

from collections.abc import Callable, Sequence

import numpy as np

from hpo.events.types import Configuration
from hpo.randomness import canonical
from hpo.space.domains import Choice, Domain
from hpo.space.search_space import SearchSpace

DECAY = 0.6
"""Parameter of a mutation's size: an ordered hyperparameter moves k levels with probability proportional to (1 - DECAY)^k."""

LEVELS = 16
"""Number of levels into which larger domains are divided for mutations; moves within a level are random fractions."""

RATE = 0.25
"""Smallest probability that a hyperparameter is mutated; with d hyperparameters it is at least 1/d."""


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
    """Draw up to `count` distinct new configurations, half of them uniform and half mutations of `parents`.

    If `prior` is true, every other uniform one is drawn from the user's priors instead.

    Args:
        space: Search space.
        rng: Random number generator.
        parents: Configurations to mutate; if there are none, all candidates are uniform.
        count: Number of candidates.
        is_known: Function that tells which configurations to leave out.
        tries: Number of draws per candidate before fewer are returned.
        prior: Whether to draw from the user's priors.
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
    """Whether a configuration lies in a search space without conditions."""
    return all(configuration[name] in domain for name, domain in space.domains.items())


def mutate(space: SearchSpace, parent: Configuration, rng: np.random.Generator) -> Configuration:
    """Return a neighbour of `parent` in which at least one hyperparameter with more than one value is changed.

    Conditional hyperparameters that become used get a uniform value.
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
    """Return the value at distance `step` on the unit scale, in the opposite direction if the domain ends before."""
    unit = domain.encode(value)
    moved = unit + step
    if not 0 <= moved <= 1:
        moved = unit - step
    return domain.decode(min(max(moved, 0.0), 1.0))
