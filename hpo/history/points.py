"""Trials as points of the search space, and where their values stand on an axis: for slices and parallel coordinates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hpo.events.values import Configuration
from hpo.events.wording import value_text
from hpo.history import curves as history
from hpo.history.record import Subject
from hpo.space.domains import Choice, Domain, Float, Integer

GOLDEN = 0.6180339887
MOST_MARKS = 12
NOT_USED = -0.12
"""Where lines of parallel coordinates pass an axis that their trial does not use, in lengths of it."""


@dataclass(frozen=True, slots=True)
class Point:
    """A trial's configuration, and its last report."""

    trial: int
    configuration: Configuration
    resource: int
    value: float
    loss: float
    """+inf where the last report is not finite."""
    feasible: bool
    """Does the last report meet the constraints?"""


def points(experiment: Subject) -> list[Point]:
    """Trials that have reported, by id."""
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
    """Where a value stands on its axis: itself, or the number of a choice, spread by the golden ratio of its trial."""
    return domain.index(value) + _shift(trial) * 0.5 if isinstance(domain, Choice) else float(value)


def unit(domain: Domain, value: Any, trial: int) -> float:
    """A value's place in its domain, from 0 to 1; choices are spread a little so that lines do not coincide."""
    if isinstance(domain, Choice):
        return (domain.index(value) + 0.5 + _shift(trial) * 0.4) / len(domain.choices)
    return float(domain.encode(value))


def marks(domain: Domain) -> Sequence[tuple[float, str]]:
    """Places from 0 to 1 and the values that stand there: the ends of an interval, choices while they are few."""
    if isinstance(domain, Choice):
        choices = domain.choices if len(domain.choices) <= MOST_MARKS else (domain.choices[0], domain.choices[-1])
        return [((domain.index(choice) + 0.5) / len(domain.choices), value_text(choice)) for choice in choices]
    assert isinstance(domain, Float | Integer)
    return [(0.0, value_text(domain.lower)), (1.0, value_text(domain.upper))]


def _shift(trial: int) -> float:
    return (trial * GOLDEN) % 1 - 0.5
