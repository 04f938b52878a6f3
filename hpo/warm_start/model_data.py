"""Conversion of an earlier experiment's results into data for a surrogate model."""

from collections.abc import Collection

from hpo.surrogate.earlier_data import EarlierData
from hpo.warm_start.matching import MatchedResult, MatchedSource


def to_model_data(source: MatchedSource, levels: Collection[int | None]) -> EarlierData:
    """Return the results of each trial at the given resources, and its last result.

    Args:
        source: Usable results of an earlier source.
        levels: Resources at which the new experiment compares its trials.
    """
    last: dict[tuple[int, int], MatchedResult] = {}
    for fit in source.fits:
        if fit.trial not in last or fit.resource >= last[fit.trial].resource:
            last[fit.trial] = fit
    numbers = {trial: number for number, trial in enumerate(last)}
    kept: dict[tuple[int, int], MatchedResult] = {}  # a trial restarted without a checkpoint reports a resource twice
    for fit in source.fits:
        if fit.resource in levels or fit is last[fit.trial]:
            kept[numbers[fit.trial], fit.resource] = fit
    return EarlierData(
        configurations=[fit.configuration for fit in last.values()],
        trials=[number for number, _ in kept],
        resources=[resource for _, resource in kept],
        losses=[fit.loss for fit in kept.values()],
        certain=[fit.certain for fit in kept.values()],
    )
