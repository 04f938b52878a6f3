"""Prior densities of many encoded configurations at once."""

import math
from collections.abc import Callable

import numpy as np

from hpo.space.domains import Choice, Domain
from hpo.space.priors import LEAST, ChoicePrior, Prior
from hpo.space.search_space import SearchSpace
from hpo.surrogate.arrays import Floats
from hpo.surrogate.encoding import ANGLE, Encoding


class PriorDensity:
    """The user's priors over a search space, evaluated on encoded configurations."""

    def __init__(self, space: SearchSpace, encoding: Encoding) -> None:
        self._parts: list[tuple[slice, Callable[[Floats], Floats]]] = []
        for name, prior in space.priors.items():
            if name in encoding.columns:
                conditional = name in space.conditions
                part = (
                    _of_choice(prior, conditional=conditional)
                    if isinstance(prior, ChoicePrior)
                    else _of_number(prior, space.domains[name], conditional=conditional)
                )
                self._parts.append((encoding.columns[name], part))

    def log_density(self, x: Floats) -> Floats:
        """Return the log prior density of each encoded configuration, shape (n,), as `SearchSpace.log_prior` gives it."""
        total = np.zeros(len(x))
        for columns, part in self._parts:
            total += part(x[:, columns])
        return total


def _of_choice(prior: ChoicePrior, *, conditional: bool) -> Callable[[Floats], Floats]:
    logs = [math.log(max(prior.density((index + 0.5) / prior.count), LEAST)) for index in range(prior.count)]
    table = np.array([*logs, 0.0])  # the last entry is for "not used"
    if prior.count == 2 and not conditional:
        return lambda block: table[block[:, 0].round().astype(np.intp)]
    return lambda block: table[block.argmax(axis=1)]


def _of_number(prior: Prior, domain: Domain, *, conditional: bool) -> Callable[[Floats], Floats]:
    count = len(domain.choices) if isinstance(domain, Choice) else None

    def density(units: Floats) -> Floats:
        if count is not None:  # the encoding's range ends at list values, the prior's beyond them
            units = (units * (count - 1) + 0.5) / count
        logs: Floats = prior.log_peak - 0.5 * np.square((units - prior.centre) / prior.spread)
        return np.maximum(logs, math.log(LEAST))

    if not conditional:
        return lambda block: density(block[:, 0])

    def where_used(block: Floats) -> Floats:
        logs = density(np.arctan2(block[:, 1], block[:, 0]) / ANGLE)
        return np.where(np.hypot(block[:, 0], block[:, 1]) > 0.5, logs, 0.0)

    return where_used
