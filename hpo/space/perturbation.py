"""A value a little different from another of the same domain: what population-based training explores by."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hpo.space.domains import REVERSE_LOG, Choice, Domain, Float, Integer


def perturbed(
    domain: Domain, value: Any, rng: np.random.Generator, *, factors: Sequence[float], resample: float
) -> Any:
    """A value of the domain near `value`, or now and then any one.

    A number is multiplied by one of the factors in its own unit, on logarithmic scales too; where a scale is logarithmic in
    the distance from 1, that distance is. It stays in its range and on its steps, and where that leaves it as it was any one
    is drawn. An ordinal goes to a neighbour; of a choice without an order any one is drawn.

    Args:
        domain: what it is a value of.
        value: to begin with.
        rng: where chance comes from.
        factors: one is drawn, all alike.
        resample: how likely any one is drawn, uniform on the scale of the domain.
    """
    if rng.random() < resample:
        return domain.decode(rng.random())
    moved = _moved(domain, value, rng, factors)
    return domain.decode(rng.random()) if moved is None or moved == value else moved


def _moved(domain: Domain, value: Any, rng: np.random.Generator, factors: Sequence[float]) -> Any:
    """The value after one step; None where there is no such thing."""
    if isinstance(domain, Choice):
        if not domain.ordered:
            return None
        places = [place for place in (domain.index(value) + way for way in (-1, 1)) if 0 <= place < len(domain.choices)]
        return domain.choices[places[int(rng.integers(len(places)))]] if places else value
    factor = factors[int(rng.integers(len(factors)))]
    if isinstance(domain, Integer):
        return _moved_integer(domain, value, factor)
    assert isinstance(domain, Float)
    moved = 1 - (1 - value) * factor if domain.scale is REVERSE_LOG else value * factor
    if domain.step is not None and 0 < abs(moved - value) < domain.step:
        moved = value + math.copysign(domain.step, moved - value)
    return domain.normalise(moved)


def _moved_integer(domain: Integer, value: int, factor: float) -> int:
    """By whole steps, at least one, and never out of the range."""
    steps = value * (factor - 1) / domain.step
    index = (value - domain.lower) // domain.step + (math.ceil(steps) if steps > 0 else math.floor(steps))
    return domain.lower + min(max(index, 0), int(domain.size) - 1) * domain.step
