"""Exclusion of experiments that a user steered while they ran; comparisons leave them out unless they are asked for."""

from collections.abc import Sequence

from hpo.analysis.runs import Run
from hpo.events.wording import shortened


def unsteered(runs: Sequence[Run], include_steered: bool, warnings: list[str]) -> list[Run]:
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
