"""The results of an earlier experiment as measurements for a model."""

from collections.abc import Collection

from hpo.earlier.agreement import EarlierSource, Fit
from hpo.surrogate.earlier import EarlierData


def for_model(source: EarlierSource, levels: Collection[int | None]) -> EarlierData:
    """Of each trial the results at some resources, and its last.

    Args:
        source: what fits of it.
        levels: where the new experiment compares its trials.
    """
    last: dict[tuple[int, int], Fit] = {}
    for fit in source.fits:
        if fit.trial not in last or fit.resource >= last[fit.trial].resource:
            last[fit.trial] = fit
    numbers = {trial: number for number, trial in enumerate(last)}
    kept: dict[tuple[int, int], Fit] = {}  # a trial that went on without a checkpoint reports a resource twice
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
