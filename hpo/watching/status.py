"""The current state of one experiment for programs, and of all tags in a few numbers."""

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.errors import StoreError
from hpo.events.device_time import price_of
from hpo.events.state import ExperimentState
from hpo.events.text import front_of, steering_text
from hpo.events.types import Event, Kind, Status
from hpo.history.conditions import ERROR, condition_of_experiment, noted_condition
from hpo.history.device_use import device_hours
from hpo.results.confirmed import confirmed
from hpo.results.experiment import Experiment
from hpo.results.files import read_metadata
from hpo.results.hypervolume import front_share
from hpo.results.rows import last_line, log_of
from hpo.store.directory import CONFIG, ExperimentDirectory, folders_with
from hpo.store.ownership import is_owned
from hpo.store.tags import OUTPUTS


def last_failure(experiment: Experiment) -> Event | None:
    """Return the event that ended the most recently failed trial."""
    failed = (Status.FAILED, Status.TIMEOUT)
    ends = (event for event in reversed(experiment.events) if event.kind == Kind.ENDED)
    return next((end for end in ends if end.body["status"] in failed), None)


def standing(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment's current state as plain values. Later versions add keys, but never rename or remove one."""
    config, state, best = experiment.config, experiment.state, experiment.state.incumbent
    condition = condition_of_experiment(experiment)
    return {
        "directory": str(experiment.directory),
        "tag": config.experiment_tag,
        "benchmark": config.benchmark.name,
        "method": config.method.name,
        "seed": config.seed,
        "state": condition.state,
        "reason": state.finished,
        "error": condition.error,
        "seconds": state.elapsed,
        "trials": {status.value: count for status, count in state.counts().items()},
        "reports": state.reports,
        "device_hours": (hours := device_hours(config, state)),
        "price": price_of(hours, config.device_price),
        "nodes": dict(state.nodes),
        "unread_lines": state.unread,
        "code_changes": state.code.changes,
        "code_versions": _versions(state),
        "steered": steering_text(state) or None,
        "held_by": state.steering.held,
        "trained": state.trained,
        "trained_again": sum(state.again.values()),
        "metric": state.objective.metric,
        "mode": state.objective.mode,
        "best": best
        and {
            "trial_id": best.trial_id,
            "value": state.objective.value(best.loss),
            "resource": best.resource,
            "test": _finite(state.held_out.of(best.trial_id, best.resource)),
            "configuration": dict(state.trials[best.trial_id].trial.configuration),
        },
        "confirmed": confirmed(ExperimentDirectory(experiment.directory), state),
        "objectives": {aim.metric: {"mode": aim.mode, "log": aim.log} for aim in state.objective.aims},
        "front": front_of(state),
        "hypervolume": front_share(config, state.front) if state.front else None,
        "constraints": [str(constraint) for constraint in state.objective.constraints],
        "closest": state.closest and {"trial_id": state.closest[0], "values": list(state.closest[1])},
        "last_failure": _failure(experiment.directory, last_failure(experiment)),
    }


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _versions(state: ExperimentState) -> list[dict[str, Any]]:
    """Return the code's versions with the trials whose attempts all ran that version; unknown ones count for none."""
    trials, _, _ = state.code.trials()
    return [
        {"digest": code["digest"], "commit": code["commit"], "trials": ran}
        for code, ran in zip(state.code.versions, trials, strict=True)
    ]


def _failure(directory: Path, end: Event | None) -> dict[str, Any] | None:
    if end is None:
        return None
    log = log_of(directory, end)
    return {
        "trial_id": end.trial,
        "status": end.body["status"],
        "exit_code": end.body.get("exit_code"),
        "signal": end.body.get("signal"),
        "where": end.body.get("where"),
        "message": last_line(end.body.get("error")),
        "log": log and str(log),
    }


def tags(outputs: Path = OUTPUTS) -> list[dict[str, Any]]:
    """Return the number of experiments in each state for each tag under outputs/, according to their metadata.

    Experiments that ended with an error are counted as interrupted, and again as `errors`.

    Raises:
        StoreError: There is no experiment.
    """
    folders = sorted(path for path in outputs.iterdir() if path.is_dir()) if outputs.is_dir() else []
    counted = {folder: Counter(map(_noted_state, folders_with(folder, CONFIG))) for folder in folders}
    found = [_counts_of(folder.name, states) for folder, states in counted.items() if states]
    if not found:
        raise StoreError(f"{outputs}/: there is no experiment here ({Path.cwd()}); name a directory, or run one first")
    return found


def _counts_of(tag: str, states: Counter[str]) -> dict[str, Any]:
    errors = states.pop(ERROR, 0)
    if errors:
        states["interrupted"] += errors
    return {"tag": tag, "experiments": dict(states), "errors": errors}


def _noted_state(directory: Path) -> str:
    files = ExperimentDirectory(directory)
    noted = noted_condition(read_metadata(files)) or "waiting"
    return "interrupted" if noted == "running" and not is_owned(files) else noted
