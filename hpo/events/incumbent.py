"""The incumbent of an experiment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Incumbent:
    """The best feasible result so far; with several objectives the best of the Pareto front in the first of them."""

    loss: float
    trial_id: int
    resource: int
    elapsed: float
