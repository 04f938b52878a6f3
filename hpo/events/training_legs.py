"""Lineage of trials that started from copied checkpoints: the legs that together make one training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.events.state import ExperimentState
from hpo.events.trial_state import TrialState
from hpo.events.types import Configuration


@dataclass(frozen=True, slots=True)
class Leg:
    """The part of a training that one trial did."""

    trial_id: int
    begin: int
    """Resource at which the leg begins; 0 for a training from the beginning."""
    end: int
    """Resource at which the next leg begins, or that the last trial reached."""
    configuration: Configuration


def legs_of(trials: Mapping[int, TrialState], trial_id: int, resource: int | None = None) -> list[Leg]:
    """Return the legs of a trial's training, the earliest ancestor's first; one leg if the trial began from scratch.

    Args:
        trials: All trials of the experiment.
        trial_id: Id of the trial.
        resource: Resource at which the last leg ends; None for the trial's own.
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
    """Return the legs of the training that gave the best result as plain values; empty without a result."""
    if state.incumbent is None:
        return []
    legs = legs_of(state.trials, state.incumbent.trial_id, state.incumbent.resource)
    return [
        {"trial": leg.trial_id, "from": leg.begin, "to": leg.end, "configuration": dict(leg.configuration)}
        for leg in legs
    ]
