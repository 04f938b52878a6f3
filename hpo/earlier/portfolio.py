"""Configurations that were good together: in each source at least one of them."""

import logging
from collections.abc import Sequence
from statistics import fmean

from hpo.config.schema import ExperimentConfig
from hpo.earlier.agreement import EarlierSource
from hpo.earlier.points import NEAREST, POINTS
from hpo.events.values import Configuration
from hpo.randomness import canonical
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.kernel import Floats
from hpo.surrogate.portfolio import exact_scores, expected_scores, take_greedily

log = logging.getLogger(__name__)


def portfolio(sources: Sequence[EarlierSource], config: ExperimentConfig, count: int = POINTS) -> list[Configuration]:
    """Up to `count` of the configurations of the sources, none close to one taken before.

    Their scores are exact on a source that has trained all of them as far as it has trained any, else expected by a model.

    Args:
        sources: what fits of each.
        config: of the experiment that starts from them.
        count: how many.
    """
    known = {canonical(fit.configuration): fit.configuration for source in sources for fit in source.fits}
    encoding = Encoding(config.space)
    scores = [found for source in sources if (found := _scores(source, known, config, encoding)) is not None]
    if not scores:
        return []
    every = list(known.values())

    def apart(index: int) -> list[bool]:
        return [encoding.distance(every[index], other) >= NEAREST for other in every]

    return [every[index] for index in take_greedily(scores, apart, count)]


def _scores(
    source: EarlierSource, known: dict[str, Configuration], config: ExperimentConfig, encoding: Encoding
) -> Floats | None:
    """Of each known configuration on one source, lower is better; None where there is nothing to go by."""
    if not source.fits:
        return None
    furthest = max(fit.reached for fit in source.fits)
    losses: dict[str, list[float]] = {}
    for fit in source.fits:
        if fit.reached == furthest:
            losses.setdefault(canonical(fit.configuration), []).append(fit.loss)
    if losses.keys() == known.keys():
        return exact_scores([fmean(losses[key]) for key in known])
    results = [(fit.configuration, fit.resource, fit.loss) for fit in source.fits]
    try:
        most = config.max_size_data_for_model
        return expected_scores(encoding, results, list(known.values()), config.randomness, most)
    except ArithmeticError as error:
        log.warning(
            "warm_start=%s: no model can be made of it (%s); it is left out of the portfolio", source.name, error
        )
        return None
