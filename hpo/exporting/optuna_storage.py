"""Optuna: a study per experiment in an SQLite storage that optuna and optuna-dashboard open."""

import logging
import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hpo.errors import ConfigError, installing
from hpo.events.values import Event, Kind, Status
from hpo.results.experiment import Experiment
from hpo.results.rows import best_of
from hpo.space.domains import LOG, Choice, Domain, Float, Integer

STATES = {
    Status.RUNNING: "RUNNING",
    Status.INTERRUPTED: "RUNNING",
    Status.PAUSED: "PRUNED",
    Status.STOPPED: "PRUNED",
    Status.COMPLETED: "COMPLETE",
    Status.FAILED: "FAIL",
    Status.TIMEOUT: "FAIL",
}
"""What becomes of a trial; `hpo_status` of a trial's user attributes keeps what it was."""


def write_optuna(experiments: Sequence[Experiment], output: Path) -> None:
    """Write the storage.

    The value of a trial is the best it reported. The trial with the best result is COMPLETE though it may be paused or
    stopped, for Optuna looks for the best among complete trials alone.

    Raises:
        ConfigError: optuna is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(f"--to optuna: it needs the package optuna ({error}); {installing('optuna')}") from error
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{output.absolute()}")
    try:
        for experiment in experiments:
            _add_study(optuna, storage, experiment)
    finally:
        optuna.logging.set_verbosity(level)
        storage.remove_session()
        storage.engine.dispose()


def _add_study(optuna: Any, storage: Any, experiment: Experiment) -> None:
    config = experiment.config
    name = config.place
    direction = "maximize" if config.benchmark.mode.value == "max" else "minimize"
    study = optuna.create_study(storage=storage, study_name=name, direction=direction)
    facts = {
        "metric": config.benchmark.metric,
        "random_seed": config.random_seed,
        "method": config.method.name,
        "seed": config.seed,
    }
    for key, value in {**facts, "best": best_of(experiment.state)}.items():
        study.set_user_attr(f"hpo_{key}", value)
    distributions = {name: distribution(domain) for name, domain in config.space.domains.items()}
    study.add_trials([_frozen(optuna, trial, distributions) for trial in _gathered(experiment)])


def distribution(domain: Domain) -> Any:
    """The distribution that holds every value of a domain; Optuna knows no steps on a log scale."""
    from optuna import distributions

    if isinstance(domain, Choice):
        return distributions.CategoricalDistribution(domain.choices)
    if isinstance(domain, Integer):
        last = domain.lower + (int(domain.size) - 1) * domain.step
        log = domain.scale is LOG
        return distributions.IntDistribution(domain.lower, last, log=log, step=1 if log else domain.step)
    assert isinstance(domain, Float)
    if domain.scale is LOG:
        return distributions.FloatDistribution(domain.lower, domain.upper, log=True)
    upper = domain.upper if domain.step is None or domain.size == 1 else domain.decode(1.0)
    return distributions.FloatDistribution(domain.lower, upper, step=domain.step if domain.size > 1 else None)


def _gathered(experiment: Experiment) -> list[dict[str, Any]]:
    """What the log says of each trial, in the order of their ids."""
    state, metric = experiment.state, experiment.config.benchmark.metric
    best = None if state.incumbent is None else state.incumbent.trial_id
    found: dict[int, dict[str, Any]] = {}
    for event in experiment.events:
        if event.trial is None:
            continue
        if event.kind == Kind.STARTED:
            found[event.trial] = {
                "id": event.trial, "params": event.body["configuration"], "start": event.time, "end": None, "error": None,
                "values": {}, "loss": math.inf,
            }  # fmt: skip
        elif event.kind == Kind.REPORTED:
            trial = found[event.trial]
            trial["values"][event.resource] = _float(event.body["metrics"][metric])
            trial["loss"] = min(trial["loss"], state.objective.loss(event.body["metrics"]))
        elif event.kind == Kind.ENDED:
            found[event.trial]["end"] = event.time
            found[event.trial]["error"] = _last_line(event)
    for trial_id, trial in found.items():
        known = state.trials[trial_id]
        trial["status"], trial["attempts"] = known.status, known.attempt + 1
        trial["value"] = None if math.isinf(trial["loss"]) else state.objective.value(trial["loss"])
        trial["state"] = "COMPLETE" if trial_id == best else STATES[known.status]
    return list(found.values())


def _frozen(optuna: Any, trial: dict[str, Any], distributions: dict[str, Any]) -> Any:
    state, value = trial["state"], trial["value"]
    if state == "COMPLETE" and value is None:  # it never reported a finite value
        state = "FAIL"
    over = state in ("COMPLETE", "PRUNED", "FAIL")
    attributes = {"hpo_trial_id": trial["id"], "hpo_status": trial["status"].value, "hpo_attempts": trial["attempts"]}
    if trial["error"]:
        attributes["hpo_error"] = trial["error"]
    return optuna.trial.FrozenTrial(
        number=trial["id"],
        trial_id=-1,
        state=optuna.trial.TrialState[state],
        value=value if state in ("COMPLETE", "PRUNED") else None,
        datetime_start=datetime.fromtimestamp(trial["start"]),
        datetime_complete=datetime.fromtimestamp(trial["end"] or trial["start"]) if over else None,
        params=dict(trial["params"]),
        distributions=distributions,
        user_attrs=attributes,
        system_attrs={},
        intermediate_values=trial["values"],
    )


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _last_line(event: Event) -> str | None:
    lines = (event.body.get("error") or "").strip().splitlines()
    return lines[-1] if lines else None
