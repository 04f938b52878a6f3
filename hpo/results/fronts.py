"""The front of an experiment with several objectives in a few words, and the box in which its hypervolume is taken."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpo.config.schema import ExperimentConfig
from hpo.events.fronts import Front, FrontPoint
from hpo.events.state import ExperimentState

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


def front_text(config: ExperimentConfig, state: ExperimentState) -> str:
    """How large the front is, and its hypervolume."""
    trials = len({point.trial_id for point in state.front})
    reports = f"{len(state.front)} {'report' if len(state.front) == 1 else 'reports'}"
    if not state.front:
        return "none yet"
    return f"{reports} of {trials} {'trial' if trials == 1 else 'trials'}, hypervolume {front_share(config, state.front):.4f}"
