"""The part of a space in which earlier experiments had their best results.

Perrone et al., "Learning Search Spaces for Bayesian Optimization: Another View of Hyperparameter Transfer Learning" (NeurIPS
2019), section 4: each range from the least to the largest of the values that the best configuration of each task has.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hpo.earlier.agreement import EarlierSource
from hpo.earlier.points import ordered
from hpo.space.domains import Choice, Domain, Float, Integer
from hpo.space.search_space import SearchSpace


def box_of(sources: Sequence[EarlierSource], space: SearchSpace) -> SearchSpace | None:
    """The box around the best configuration of each source; None where fewer than two have one.

    Args:
        sources: what fits of each.
        space: without conditions.
    """
    best = [found for source in sources if (found := next(ordered(source.fits), None)) is not None]
    if len(best) < 2:
        return None
    domains = {name: narrowed(domain, [one[name] for one in best]) for name, domain in space.domains.items()}
    return replace(space, domains=domains, chosen={}, priors={})


def narrowed(domain: Domain, values: Sequence[Any]) -> Domain:
    """The domain from the least to the largest of some of its values; of a list without an order these values."""
    if isinstance(domain, Choice):
        indices = sorted({domain.index(value) for value in values})
        kept = range(indices[0], indices[-1] + 1) if domain.ordered else indices
        return replace(domain, choices=tuple(domain.choices[index] for index in kept))
    assert isinstance(domain, Float | Integer)
    return replace(domain, lower=min(values), upper=max(values))
