"""The best configurations of earlier experiments, which a new experiment evaluates first, and the box that they span."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from hpo.events.types import Configuration
from hpo.space.domains import Choice, Domain, Float, Integer
from hpo.space.search_space import SearchSpace
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.pareto import epsilon_net_ranks
from hpo.warm_start.matching import MatchedResult, MatchedSource

POINTS = 5
"""Number of configurations taken from all sources together."""

NEAREST = 0.1
"""Smallest distance between two configurations that are taken, as a fraction of some hyperparameter's range.

Without it, the best results of a model-based search would be the same configuration many times.
"""


def best_points(sources: Sequence[MatchedSource], space: SearchSpace, count: int = POINTS) -> list[Configuration]:
    """Return up to `count` configurations: in turn, the best of each source that is not close to one already taken.

    The best is the one that was trained longest, and among those the one with the lowest loss.
    """
    encoding = Encoding(space)
    taken: list[Configuration] = []
    queues = [best_first(source.fits) for source in sources]
    while queues and len(taken) < count:
        queues = [queue for queue in queues if len(taken) == count or _take(queue, taken, encoding)]
    return taken


def _take(queue: Iterator[Configuration], taken: list[Configuration], encoding: Encoding) -> bool:
    """Take the next configuration of a source that is not close to another; return False if there is none left."""
    for configuration in queue:
        if all(encoding.distance(configuration, other) >= NEAREST for other in taken):
            taken.append(configuration)
            return True
    return False


def best_first(fits: Sequence[MatchedResult]) -> Iterator[Configuration]:
    """Yield the configurations of a source, best first, without those that have no finite loss.

    With several objectives, the first ones are spread over the Pareto front.
    """
    last: dict[tuple[int, int], MatchedResult] = {}
    for fit in fits:
        if fit.trial not in last or fit.reached >= last[fit.trial].reached:
            last[fit.trial] = fit
    finite = [fit for fit in last.values() if math.isfinite(fit.loss) and all(map(math.isfinite, fit.losses))]
    finite.sort(key=lambda fit: (-fit.reached, fit.loss))
    for _, group in itertools.groupby(finite, key=lambda fit: fit.reached):
        alike = list(group)
        if alike[0].losses:
            places = epsilon_net_ranks([(0.0, *fit.losses) for fit in alike], len(alike))
            alike = [fit for _, fit in sorted(zip(places, alike, strict=True), key=lambda pair: pair[0])]
        yield from (fit.configuration for fit in alike)


def box_of(sources: Sequence[MatchedSource], space: SearchSpace) -> SearchSpace | None:
    """Return the smallest box with the best configuration of each source; None if fewer than two sources have one.

    Args:
        sources: Usable results of each source.
        space: Search space without conditional hyperparameters.
    """
    best = [found for source in sources if (found := next(best_first(source.fits), None)) is not None]
    if len(best) < 2:
        return None
    domains = {name: narrow(domain, [one[name] for one in best]) for name, domain in space.domains.items()}
    return replace(space, domains=domains, chosen={}, priors={})


def narrow(domain: Domain, values: Sequence[Any]) -> Domain:
    """Restrict a domain to the range of some of its values; a categorical one to these values alone."""
    if isinstance(domain, Choice):
        indices = sorted({domain.index(value) for value in values})
        kept = range(indices[0], indices[-1] + 1) if domain.ordered else indices
        return replace(domain, choices=tuple(domain.choices[index] for index in kept))
    assert isinstance(domain, Float | Integer)
    return replace(domain, lower=min(values), upper=max(values))
