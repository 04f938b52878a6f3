"""Trials as points of the search space, and the axis positions of their values in slice and parallel-coordinate plots."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hpo.events.text import value_text
from hpo.events.types import Configuration
from hpo.history import curves as history
from hpo.history.record import Subject
from hpo.space.domains import Choice, Domain, Float, Integer

GOLDEN = 0.6180339887
MOST_MARKS = 12
NOT_USED = -0.12
"""Axis position, in lengths of the axis, for trials that do not use its hyperparameter in a parallel-coordinate plot."""


@dataclass(frozen=True, slots=True)
class Point:
    """A trial's configuration and its last report."""

    trial: int
    configuration: Configuration
    resource: int
    value: float
    loss: float
    """Loss of the last report; +inf if it is not finite."""
    feasible: bool
    """Whether the last report meets the constraints."""


def points(experiment: Subject) -> list[Point]:
    """Return the trials that have reported as points, by id."""
    states, sign = experiment.state.trials, -1 if experiment.state.objective.mode == "max" else 1
    return [
        Point(
            trial=curve.trial,
            configuration=states[curve.trial].trial.configuration,
            resource=curve.resources[-1],
            value=curve.values[-1],
            loss=math.inf if math.isnan(curve.values[-1]) else sign * curve.values[-1],
            feasible=curve.feasible[-1],
        )
        for curve in history.curves(experiment)
    ]


def position(domain: Domain, value: Any, trial: int) -> float:
    """Return a value's position on its axis: the number itself, or a choice's index with jitter that depends on the trial."""
    return domain.index(value) + _shift(trial) * 0.5 if isinstance(domain, Choice) else float(value)


def unit(domain: Domain, value: Any, trial: int) -> float:
    """Return a value's position in its domain, from 0 to 1; choices get some jitter so that lines do not coincide."""
    if isinstance(domain, Choice):
        return (domain.index(value) + 0.5 + _shift(trial) * 0.4) / len(domain.choices)
    return float(domain.encode(value))


def marks(domain: Domain) -> Sequence[tuple[float, str]]:
    """Return axis positions from 0 to 1 with their labels: the ends of an interval, or all choices if these are few."""
    if isinstance(domain, Choice):
        choices = domain.choices if len(domain.choices) <= MOST_MARKS else (domain.choices[0], domain.choices[-1])
        return [((domain.index(choice) + 0.5) / len(domain.choices), value_text(choice)) for choice in choices]
    assert isinstance(domain, Float | Integer)
    return [(0.0, value_text(domain.lower)), (1.0, value_text(domain.upper))]


def _shift(trial: int) -> float:
    return (trial * GOLDEN) % 1 - 0.5
