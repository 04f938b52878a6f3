"""A box within a search space, in which earlier experiments had their best results.

Perrone et al., "Learning Search Spaces for Bayesian Optimization: Another View of Hyperparameter Transfer Learning" (NeurIPS
2019), section 4: each range extends from the smallest to the largest value among the best configurations of all tasks.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hpo.space.domains import Choice, Domain, Float, Integer
from hpo.space.search_space import SearchSpace
from hpo.warm_start.best_configurations import best_first
from hpo.warm_start.matching import MatchedSource


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
