"""The hypervolume of a multi-objective experiment, and the box in which it is computed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpo.config.schema import ExperimentConfig
from hpo.events.fronts import Front, FrontPoint

if TYPE_CHECKING:
    from hpo.surrogate.arrays import Floats
    from hpo.surrogate.hypervolume import HypervolumeBox


def losses_of(points: Sequence[FrontPoint]) -> "Floats":
    """Return the losses of some reports as an array, shape (n, m)."""
    import numpy as np  # here: single-objective experiments do not need numpy

    return np.array([point.losses for point in points], dtype=np.float64)


def box_of(config: ExperimentConfig, losses: "Floats") -> "HypervolumeBox | None":
    """Return the box for hypervolumes around some losses; None if no loss is better than the reference point.

    Args:
        config: Configuration of the experiment; its benchmark may give a reference point.
        losses: Losses of several reports, shape (n, m).
    """
    import numpy as np

    from hpo.surrogate.hypervolume import fit_box

    aims, given = config.objective.aims, config.benchmark.reference_point
    reference = np.array([aim.loss(given[aim.metric]) for aim in aims], dtype=np.float64) if given else None
    logs = [(-1 if aim.mode == "max" else 1) if aim.log else 0 for aim in aims]
    return fit_box(losses, logs, reference)


def front_share(config: ExperimentConfig, front: Front) -> float:
    """Return the share that a Pareto front dominates of the box from its best values to the reference point."""
    losses = losses_of(front)
    box = box_of(config, losses) if front else None
    return 0.0 if box is None else box.share(losses)


def hypervolume_text(config: ExperimentConfig, front: Front, share: float | None = None) -> str:
    """Return the words about a Pareto front's hypervolume, which is computed if not given; empty if there is no front."""
    if not front:
        return ""
    return f"; hypervolume {front_share(config, front) if share is None else share:.4f}"
