"""Exclusion of experiments that a user steered while they ran; comparisons leave them out unless they are asked for."""

from collections.abc import Sequence

from hpo.analysis.loading import LoadedExperiment
from hpo.events.text import shortened


def without_steered_experiments(
    runs: Sequence[LoadedExperiment], include_steered: bool, warnings: list[str]
) -> list[LoadedExperiment]:
    """Return the experiments that no user steered, because seeds do not pair steered experiments with others.

    Args:
        runs: Experiments to choose from.
        include_steered: Keep all of them.
        warnings: List that receives one warning about the steered experiments.
    """
    if not (steered := [str(run.directory) for run in runs if run.steered]):
        return list(runs)
    count, names = f"{len(steered)} experiment(s)", shortened(steered)
    if include_steered:
        warnings.append(f"{count} were steered while they ran, so that seeds do not pair them: {names}")
        return list(runs)
    remedy = "--include-steered takes them"
    warnings.append(f"left out {count} that were steered while they ran (trials stopped, or held): {names}; {remedy}")
    return [run for run in runs if not run.steered]
