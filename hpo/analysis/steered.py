"""Experiments in which people took part: they are left out of comparisons unless they are wanted."""

from collections.abc import Sequence

from hpo.analysis.runs import Run
from hpo.events.wording import shortened


def unsteered(runs: Sequence[Run], include_steered: bool, warnings: list[str]) -> list[Run]:
    """Those that their methods have decided alone, for pairing by seeds does not hold with others.

    Args:
        runs: experiments.
        include_steered: keep all of them.
        warnings: gets one about those that were steered.
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
