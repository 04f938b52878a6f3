"""Whether the best result of an experiment is confirmed, by the note that `hpo confirm` leaves in its directory."""

import json
import math
from collections.abc import Mapping
from typing import Any

from hpo.events.state import ExperimentState
from hpo.randomness import canonical
from hpo.store.atomic_files import write_atomically
from hpo.store.directory import ExperimentDirectory, read_json


def write_note(directory: ExperimentDirectory, confirmation: Mapping[str, Any]) -> None:
    """Write the note about a confirmation, the content of its confirmation.json, into the directory of a search."""
    write_atomically(directory.confirmation, json.dumps(confirmation, indent=1).encode())


def confirmed(directory: ExperimentDirectory, state: ExperimentState) -> dict[str, Any] | bool | None:
    """Return what a confirmation found for the incumbent of an experiment.

    Returns:
        Its `mean` with `low` and `high`, the 95 % interval, its number of `seeds`, and whether it is `chosen` as the
        configuration to take; False if the incumbent was not among the candidates, or a training of it failed; None if
        nothing was confirmed.
    """
    best = state.incumbent
    note = read_json(directory.confirmation)
    candidates = note.get("candidates")
    if best is None or not isinstance(candidates, list):
        return None
    key = canonical(state.trials[best.trial_id].trial.configuration)
    for index, candidate in enumerate(candidates):
        own = candidate.get("configuration") if isinstance(candidate, dict) else None
        if not isinstance(own, dict) or canonical(own) != key or not _is_number(candidate.get("mean")):
            continue
        limits = {name: candidate[name] for name in ("low", "high") if _is_number(candidate.get(name))}
        seeds = candidate.get("seeds") if isinstance(candidate.get("seeds"), int) else None
        return {"mean": candidate["mean"], **limits, "seeds": seeds, "chosen": note.get("chosen") == index}
    return False


def confirmed_text(directory: ExperimentDirectory, state: ExperimentState) -> str:
    """Return in words what a confirmation found for the incumbent; empty if nothing was confirmed."""
    found = confirmed(directory, state)
    if found is None:
        return ""
    if not isinstance(found, dict):
        return "not confirmed: this configuration was not among those that hpo confirm trained again"
    interval = f" [{found['low']:.4g}, {found['high']:.4g}]" if {"low", "high"} <= found.keys() else ""
    advice = "" if found["chosen"] else "; hpo confirm takes another configuration"
    return (
        f"confirmed: {state.objective.metric} {found['mean']:.4g}{interval} over {found['seeds']} fresh seeds{advice}"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
