"""The front of an experiment with several objectives in a few words, and the box in which its hypervolume is taken."""

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


def front_text(config: ExperimentConfig, front: Front, share: float | None = None) -> str:
    """How large a front is, and its hypervolume, which is computed unless it is given."""
    if not front:
        return "none yet"
    trials = len({point.trial_id for point in front})
    reports = f"{len(front)} {'report' if len(front) == 1 else 'reports'}"
    share = front_share(config, front) if share is None else share
    return f"{reports} of {trials} {'trial' if trials == 1 else 'trials'}, hypervolume {share:.4f}"


def front_line(config: ExperimentConfig, front: Front, head: str) -> str:
    """The same as a line that begins with `head`; nothing where there is one objective."""
    return f"{head}{front_text(config, front)}\n" if config.objective.aims else ""
