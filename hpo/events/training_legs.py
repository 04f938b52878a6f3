"""Which trials went on from copies of which: the legs that together make one training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.events.state import ExperimentState
from hpo.events.trial_state import TrialState
from hpo.events.types import Configuration


@dataclass(frozen=True, slots=True)
class Leg:
    """What one trial has of a training."""

    trial_id: int
    begin: int
    """The resource it went on from; 0 is from nothing."""
    end: int
    """The resource at which the next went on from it, or that it reached."""
    configuration: Configuration


def legs_of(trials: Mapping[int, TrialState], trial_id: int, resource: int | None = None) -> list[Leg]:
    """The legs of a trial, its first ancestor's first; one where it began from nothing.

    Args:
        trials: of the experiment.
        trial_id: whose.
        resource: where the last leg ends; None: where the trial is.
    """
    legs: list[Leg] = []
    following: int | None = trial_id
    while following is not None:
        state = trials[following]
        end = legs[-1].begin if legs else resource or state.resource
        legs.append(Leg(following, state.base, end, state.trial.configuration))
        following = state.trial.source
    return legs[::-1]


def schedule_of(state: ExperimentState) -> list[dict[str, Any]]:
    """The legs of the training that gave the best result; one where nothing changed on the way, none where there is none."""
    if state.incumbent is None:
        return []
    legs = legs_of(state.trials, state.incumbent.trial_id, state.incumbent.resource)
    return [
        {"trial": leg.trial_id, "from": leg.begin, "to": leg.end, "configuration": dict(leg.configuration)}
        for leg in legs
    ]
