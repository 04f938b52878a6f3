"""Small random changes of hyperparameter values, the exploration step of population-based training."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hpo.space.domains import REVERSE_LOG, Choice, Domain, Float, Integer


def perturb(domain: Domain, value: Any, rng: np.random.Generator, *, factors: Sequence[float], resample: float) -> Any:
    """Return a value of the domain near `value`, or with probability `resample` a random one.

    A number is multiplied by one of the factors, also on a logarithmic scale. On a reverse-logarithmic scale, its distance
    from 1 is multiplied. The result is kept within the bounds and on the steps of the domain; if that gives the old value
    again, a random value is drawn. An ordinal value moves to a neighbour. A categorical value is replaced by a random one.

    Args:
        domain: Domain of the hyperparameter.
        value: Value to change.
        rng: Random number generator.
        factors: Multipliers, of which one is drawn with equal probability.
        resample: Probability of drawing a value uniformly on the scale of the domain instead.
    """
    if rng.random() < resample:
        return domain.decode(rng.random())
    moved = _moved(domain, value, rng, factors)
    return domain.decode(rng.random()) if moved is None or moved == value else moved


def _moved(domain: Domain, value: Any, rng: np.random.Generator, factors: Sequence[float]) -> Any:
    """Return the value after one small change; None if the domain is categorical and has no neighbours."""
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
    """Multiply an integer by a factor, moving at least one step, and stay within the domain."""
    steps = value * (factor - 1) / domain.step
    index = (value - domain.lower) // domain.step + (math.ceil(steps) if steps > 0 else math.floor(steps))
    return domain.lower + min(max(index, 0), int(domain.size) - 1) * domain.step
