"""The hypervolume of a multi-objective experiment's Pareto front over time."""

from dataclasses import dataclass

import numpy as np

from hpo.history.record import Subject, record_of
from hpo.results.hypervolume import box_of, losses_of
from hpo.surrogate.arrays import Floats
from hpo.surrogate.hypervolume import HypervolumeBox


@dataclass(frozen=True, eq=False)
class HypervolumeCurve:
    """The dominated hypervolume over time, as a share of the box from the best values to the reference point."""

    times: Floats
    """Elapsed seconds of each report that no earlier one dominated, shape (n,)."""
    shares: Floats
    """Hypervolume from each time in `times` on, as a share of the box, shape (n,)."""
    box: HypervolumeBox


def growth(experiment: Subject) -> HypervolumeCurve | None:
    """Return an experiment's hypervolume over time, in the box of its Pareto front; None before a point lies in the box."""
    front, points = experiment.state.front, record_of(experiment).arrivals
    box = box_of(experiment.config, losses_of(front)) if front else None
    if box is None:
        return None
    return HypervolumeCurve(np.array([point.elapsed for point in points]), box.shares(losses_of(points)), box)
