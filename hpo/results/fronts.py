"""The hypervolume of an experiment with several objectives, and the box in which it is taken."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpo.config.schema import ExperimentConfig
from hpo.events.fronts import Front, FrontPoint

if TYPE_CHECKING:
    from hpo.surrogate.boxes import Box
    from hpo.surrogate.hypervolume import Floats


def losses_of(points: Sequence[FrontPoint]) -> "Floats":
    """Of some reports, shape (n, m)."""
    import numpy as np  # most experiments have one objective, and none of their commands waits for it

    return np.array([point.losses for point in points], dtype=np.float64)


def box_of(config: ExperimentConfig, losses: "Floats") -> "Box | None":
    """The box of an experiment's objectives around some losses; None where none of them is below its reference point.

    Args:
        config: of the experiment; it may have a reference point.
        losses: shape (n, m).
    """
    import numpy as np

    from hpo.surrogate.boxes import box_around

    aims, given = config.objective.aims, config.benchmark.reference_point
    reference = np.array([aim.loss(given[aim.metric]) for aim in aims], dtype=np.float64) if given else None
    logs = [(-1 if aim.mode == "max" else 1) if aim.log else 0 for aim in aims]
    return box_around(losses, logs, reference)


def front_share(config: ExperimentConfig, front: Front) -> float:
    """The hypervolume of a front: the share that it dominates of the box from its best values to the reference point."""
    losses = losses_of(front)
    box = box_of(config, losses) if front else None
    return 0.0 if box is None else box.share(losses)


def hypervolume_text(config: ExperimentConfig, front: Front, share: float | None = None) -> str:
    """What follows the words about a front: its hypervolume, computed unless it is given; nothing where there is no front."""
    if not front:
        return ""
    return f"; hypervolume {front_share(config, front) if share is None else share:.4f}"
