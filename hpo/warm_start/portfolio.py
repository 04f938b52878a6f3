"""Portfolios of configurations from earlier experiments, such that at least one was good in each source."""

import logging
from collections.abc import Mapping, Sequence
from statistics import fmean

from hpo.config.schema import ExperimentConfig
from hpo.events.types import Configuration
from hpo.randomness import canonical
from hpo.surrogate.arrays import Floats
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.portfolio import exact_scores, expected_scores, select_greedily
from hpo.warm_start.best_configurations import NEAREST, POINTS
from hpo.warm_start.matching import MatchedSource

log = logging.getLogger(__name__)


def portfolio(sources: Sequence[MatchedSource], config: ExperimentConfig, count: int = POINTS) -> list[Configuration]:
    """Return up to `count` configurations of the sources that complement each other, none close to another.

    The score of a configuration on a source is exact if the source evaluated all configurations up to its highest
    resource; if not, it is predicted by a model.

    Args:
        sources: Usable results of each source.
        config: Configuration of the new experiment.
        count: Maximum number of configurations.
    """
    of_trials = {fit.trial: fit.configuration for source in sources for fit in source.fits}
    numbers: dict[str, int] = {}  # equal configurations share a number
    index = {trial: numbers.setdefault(canonical(one), len(numbers)) for trial, one in of_trials.items()}
    every = list({index[trial]: one for trial, one in of_trials.items()}.values())
    encoding = Encoding(config.space)
    scores = [found for source in sources if (found := _scores(source, every, index, config, encoding)) is not None]
    if not scores:
        return []

    def apart(number: int) -> list[bool]:
        return [encoding.distance(every[number], other) >= NEAREST for other in every]

    return [every[number] for number in select_greedily(scores, apart, count)]


def _scores(
    source: MatchedSource,
    every: Sequence[Configuration],
    index: Mapping[tuple[int, int], int],
    config: ExperimentConfig,
    encoding: Encoding,
) -> Floats | None:
    """Return the score of each configuration on one source, lower is better; None if the source allows no score.

    Args:
        source: Usable results of the source.
        every: Configurations of all sources.
        index: Index into `every` for each trial.
        config: Configuration of the new experiment.
        encoding: Encoding of configurations.
    """
    if not source.fits:
        return None
    furthest = max(fit.reached for fit in source.fits)
    losses: dict[int, list[float]] = {}
    for fit in source.fits:
        if fit.reached == furthest:
            losses.setdefault(index[fit.trial], []).append(fit.loss)
    if len(losses) == len(every):
        return exact_scores([fmean(losses[number]) for number in range(len(every))])
    results = [(index[fit.trial], fit.resource, fit.loss) for fit in source.fits]
    try:
        return expected_scores(encoding, every, results, config.randomness, config.max_size_data_for_model)
    except ArithmeticError as error:
        log.warning(
            "warm_start=%s: no model can be made of it (%s); it is left out of the portfolio", source.name, error
        )
        return None
