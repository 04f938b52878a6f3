"""The hypervolume regret, which turns a multi-objective experiment into one number over time.

The regret at a time is 1 - V(front then) / V(all fronts), where V is the hypervolume in a box that all experiments share.
The reference point of the box is the benchmark's if it gives one, else it follows from the Pareto fronts of all experiments.
Ranks, means over time and all statistics are then the same as for one objective.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo.config.schema import ExperimentConfig
from hpo.events.objective import Objective
from hpo.history.trajectories import Trajectory
from hpo.results.hypervolume import box_of
from hpo.surrogate.arrays import Floats
from hpo.surrogate.hypervolume import HypervolumeBox, front_of

REGRET = Objective("hypervolume regret", "min", None)
"""The objective that is compared in place of several objectives."""


@dataclass(frozen=True, eq=False)
class HypervolumeMeasure:
    """The hypervolume that the experiments of a multi-objective benchmark are scored with.

    Attributes:
        objective: Objective of the experiments, with all its aims.
        box: Box in which hypervolumes are computed; None if no experiment has a result inside one.
        given: Whether the benchmark gives the reference point.
        best: Share of the box that all Pareto fronts together dominate.
        best_is: Description of these fronts for messages.
    """

    objective: Objective
    box: HypervolumeBox | None
    given: bool
    best: float
    best_is: str

    @property
    def reference(self) -> Mapping[str, float]:
        """The reference point in the objectives' own units; empty if there is no box."""
        return {} if self.box is None else self.objective.values(self.box.reference.tolist())

    def text(self) -> str:
        """Return one line about the objectives and the reference point, for readers of the scores."""
        aims = ", ".join(f"{aim.metric} ({aim.mode})" for aim in self.objective.aims)
        point = ", ".join(f"{name}={value:.6g}" for name, value in self.reference.items())
        whence = "as given" if self.given else "a tenth of the range beyond the worst of all fronts"
        moves = "" if self.given else "; a score changes when an experiment is added"
        return f"objectives {aims}; reference point {point}, {whence}{moves}"

    def trajectory(self, times: Floats, losses: Floats) -> Trajectory:
        """Return the hypervolume regret of an experiment over time.

        Args:
            times: Elapsed seconds of each report that no earlier one dominated, shape (n,).
            losses: Losses of these reports, shape (n, m).
        """
        if self.box is None:
            return Trajectory.of(())
        regrets = 1 - self.box.shares(losses) / self.best
        inside = regrets < 1
        return Trajectory.of(zip(times[inside].tolist(), np.maximum(regrets[inside], 0.0).tolist(), strict=True))


def hypervolume_measure(
    config: ExperimentConfig, metadata: Sequence[Mapping[str, Any]], fronts: Sequence[Floats]
) -> HypervolumeMeasure:
    """Return the hypervolume measure for experiments that have the same objectives and reference point.

    Args:
        config: Configuration of one of the experiments.
        metadata: Metadata of each experiment.
        fronts: Losses of each experiment, shape (n, m); points may be dominated.
    """
    objective = config.objective
    union, best_is = np.vstack([front[front_of(front)] for front in fronts]), "all loaded experiments"
    written = {repr(one.get("table_front")) for one in metadata}
    if len(written) == 1 and (table := _table_front(metadata[0], objective)) is not None:
        union, best_is = np.vstack([union, table]), "the table and all loaded experiments"
    box = box_of(config, union)
    best = 0.0 if box is None else box.share(union)
    return HypervolumeMeasure(
        objective, box, bool(config.benchmark.reference_point), best, f"the Pareto front of {best_is} together"
    )


def _table_front(metadata: Mapping[str, Any], objective: Objective) -> Floats | None:
    """Return the Pareto front of the table that experiments were simulated from, as losses, shape (n, m); None if unknown."""
    try:
        values: Floats = np.array(metadata.get("table_front"), dtype=np.float64)
    except (TypeError, ValueError):  # a damaged file: compare with the experiments' own fronts
        return None
    if values.ndim != 2 or values.shape[1] != len(objective.aims) or not np.isfinite(values).all():
        return None
    signs: Floats = np.array([-1.0 if aim.mode == "max" else 1.0 for aim in objective.aims])
    return values * signs
