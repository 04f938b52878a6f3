"""Experiments with several objectives as one number over time: how much less their front dominates than all fronts together.

The regret at a time is 1 - V(front then) / V(all fronts), where V is the hypervolume in a box that all experiments share: its
reference point is the benchmark's, else it follows from the fronts of all of them. Ranks, means over time and all statistics
are then those of one objective.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo.config.schema import ExperimentConfig
from hpo.events.objective import Objective
from hpo.history.trajectories import Floats, Trajectory
from hpo.results.fronts import box_of
from hpo.surrogate.boxes import Box
from hpo.surrogate.hypervolume import front_of

REGRET = Objective("hypervolume regret", "min", None)
"""What is compared in place of the objectives."""


@dataclass(frozen=True, eq=False)
class Measure:
    """What the experiments of a benchmark are measured by.

    Attributes:
        objective: what they have, with all aims.
        box: where hypervolumes are taken; None where no experiment has a result in it.
        given: is the reference point the benchmark's own?
        best: the share of the box that all fronts together dominate.
        best_is: what these are.
    """

    objective: Objective
    box: Box | None
    given: bool
    best: float
    best_is: str

    @property
    def reference(self) -> Mapping[str, float]:
        """The reference point, in the objectives' own units; empty where there is none."""
        return {} if self.box is None else self.objective.values(self.box.reference.tolist())

    def text(self) -> str:
        """Objectives and reference point, as a reader of scores must know them."""
        aims = ", ".join(f"{aim.metric} ({aim.mode})" for aim in self.objective.aims)
        point = ", ".join(f"{name}={value:.6g}" for name, value in self.reference.items())
        whence = "as given" if self.given else "a tenth of the range beyond the worst of all fronts"
        moves = "" if self.given else "; a score changes when an experiment is added"
        return f"objectives {aims}; reference point {point}, {whence}{moves}"

    def trajectory(self, times: Floats, losses: Floats) -> Trajectory:
        """The regret over time.

        Args:
            times: elapsed seconds of each report that no earlier one dominated, shape (n,).
            losses: of these, shape (n, m).
        """
        if self.box is None:
            return Trajectory.of(())
        regrets = 1 - self.box.shares(losses) / self.best
        inside = regrets < 1
        return Trajectory.of(zip(times[inside].tolist(), np.maximum(regrets[inside], 0.0).tolist(), strict=True))


def measure_of(config: ExperimentConfig, metadata: Sequence[Mapping[str, Any]], fronts: Sequence[Floats]) -> Measure:
    """What experiments that have the same objectives and reference point are measured by.

    Args:
        config: of one of them.
        metadata: of each.
        fronts: losses of each, shape (n, m); any may be dominated.
    """
    objective = config.objective
    union, best_is = np.vstack([front[front_of(front)] for front in fronts]), "all loaded experiments"
    written = {repr(one.get("table_front")) for one in metadata}
    if len(written) == 1 and (table := _table_front(metadata[0], objective)) is not None:
        union, best_is = np.vstack([union, table]), "the table and all loaded experiments"
    box = box_of(config, union)
    best = 0.0 if box is None else box.share(union)
    return Measure(objective, box, bool(config.benchmark.reference_point), best, f"the front of {best_is} together")


def _table_front(metadata: Mapping[str, Any], objective: Objective) -> Floats | None:
    """The front of the table that experiments were simulated from, as losses, shape (n, m); None where it is not known."""
    try:
        values: Floats = np.array(metadata.get("table_front"), dtype=np.float64)
    except (TypeError, ValueError):  # a damaged file: what is found is compared with itself
        return None
    if values.ndim != 2 or values.shape[1] != len(objective.aims) or not np.isfinite(values).all():
        return None
    signs: Floats = np.array([-1.0 if aim.mode == "max" else 1.0 for aim in objective.aims])
    return values * signs
