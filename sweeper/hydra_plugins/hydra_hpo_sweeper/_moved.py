"""Configurations that were written for the Optuna sweeper: what each key becomes, and what has no counterpart."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hydra.errors import CompactHydraException
from hydra_plugins.hydra_hpo_sweeper._samplers import CREATED_BY, SAMPLERS
from hydra_plugins.hydra_hpo_sweeper.hpo_sweeper import OPTUNAS_KEYS, HpoSweeperConf

from hpo.config.yaml_files import override_text
from hpo.errors import did_you_mean

log = logging.getLogger(__name__)

_MODES = {"minimize": "min", "maximize": "max"}
_TRIALS = 20
"""Number of trials of the Optuna sweeper if its configuration gives none."""
_BUDGETS = ("max_num_trials", "max_num_evaluations", "max_wallclock_time", "target_value")


def translate(settings: HpoSweeperConf) -> HpoSweeperConf:
    """Return the settings with the Optuna sweeper's keys replaced by hpo's; one line of the log says by which.

    Raises:
        CompactHydraException: A key has no counterpart.
    """
    if all(getattr(settings, key) is None for key in OPTUNAS_KEYS):
        return settings if settings.method is not None else replace(settings, method="TPE")
    become: dict[str, Any] = {**_direction(settings), **_budget(settings)}
    several = len(become.get("objectives") or settings.objectives or {}) > 1
    method, words, seed = _method(settings, several=several)
    become["method"] = method
    if seed is not None and settings.random_seed is None:
        become["random_seed"] = seed
    words += _pruning(settings)
    if settings.max_failure_rate == 1:
        words.append("max_failures=1000000")
    if settings.num_gpus_per_trial is None and not any(word.startswith("launcher=") for word in settings.overrides):
        become.update(_no_gpu())
    told = ", ".join([*(f"{key}={value}" for key, value in become.items() if getattr(settings, key) != value), *words])
    log.info("hydra.sweeper was written for the Optuna sweeper; for hpo it is %s", told)
    _warn(settings)
    return replace(settings, **become, overrides=[*words, *settings.overrides])


def _direction(settings: HpoSweeperConf) -> dict[str, Any]:
    given = settings.direction
    if given is None:
        return {}
    modes = [_mode(value) for value in (given if isinstance(given, list) else [given])]
    if settings.objectives:
        raise CompactHydraException(
            f"hydra.sweeper.direction={given}: hydra.sweeper.objectives say the direction of each already; remove one of them"
        )
    if len(modes) == 1:
        return {"mode": modes[0]}
    return {"objectives": {f"objective_{number}": mode for number, mode in enumerate(modes, 1)}}


def _mode(value: Any) -> str:
    name = str(getattr(value, "name", value))  # an enumeration where the Optuna sweeper is installed too
    if name not in _MODES:
        raise CompactHydraException(
            f"hydra.sweeper.direction={name}: use minimize or maximize, or a list of them for several objectives"
            + did_you_mean(name, list(_MODES))
        )
    return _MODES[name]


def _budget(settings: HpoSweeperConf) -> dict[str, Any]:
    become: dict[str, Any] = {}
    for theirs, ours in (("n_trials", "max_num_trials"), ("n_jobs", "n_workers")):
        value = getattr(settings, theirs)
        if value is None or getattr(settings, ours) is not None:
            continue
        if value < 1:
            raise CompactHydraException(
                f"hydra.sweeper.{theirs}={value}: use a positive number, such as hydra.sweeper.{ours}=4; hpo does not count "
                "processors, because a trial may use several"
            )
        become[ours] = value
    if "max_num_trials" not in become and all(getattr(settings, key) is None for key in _BUDGETS):
        become["max_num_trials"] = _TRIALS
    return become


def _no_gpu() -> dict[str, int]:
    """Return the setting for a machine without GPUs, which the Optuna sweeper does not ask about."""
    from hpo.backends.gpus import visible_gpus

    return {} if visible_gpus() else {"num_gpus_per_trial": 0}


def _method(settings: HpoSweeperConf, *, several: bool) -> tuple[str, list[str], int | None]:
    """Return the method, further overrides for it, and the random seed."""
    given = settings.sampler or {}
    target = str(given.get("_target_") or "optuna.samplers.TPESampler")
    name = target.rpartition(".")[2]
    name = CREATED_BY.get(name, name)
    if name not in SAMPLERS:
        raise CompactHydraException(
            f"hydra.sweeper.sampler._target_={target}: hpo has no counterpart of this sampler; choose a method, such as "
            f"hydra.sweeper.method=TPE, and leave the sampler out" + did_you_mean(name, list(SAMPLERS))
        )
    seed = given.get("seed")
    if settings.method is not None:
        return settings.method, [], seed
    sampler = SAMPLERS[name]
    method = sampler.several if several else sampler.method
    if method is None:
        kind = "several objectives" if several else "this sampler"
        raise CompactHydraException(
            f"hydra.sweeper.sampler: hpo has no counterpart of {name}"
            + (" for several objectives" if sampler.method else "")
            + f"; for {kind} choose hydra.sweeper.method="
            + ("MO-BO, NSGA-II or MO-ASHA-GP" if several else "TPE")
        )
    words = []
    for key, value in given.items():
        if key in ("_target_", "seed") or value is None or value in sampler.accepted.get(key, ()):
            continue
        if key not in sampler.keys:
            raise CompactHydraException(_without_counterpart(key, value, method))
        if method == sampler.method:  # of another method the searcher has no such argument
            words.append(f"method.searcher.{sampler.keys[key]}={override_text(value)}")
    return method, words, seed


def _without_counterpart(key: str, value: Any, method: str) -> str:
    remedy = {
        "constraints_func": "write hydra.sweeper.constraints, such as {latency_ms: {upper: 20}}, and report latency_ms",
        "x0": "write hydra.sweeper.points_to_evaluate, such as [{x: 0.5}]",
    }.get(key, "leave it out")
    return f"hydra.sweeper.sampler.{key}={value}: method={method} has no such setting; {remedy}"


def _pruning(settings: HpoSweeperConf) -> list[str]:
    """Return the overrides for the scheduler that takes the place of a pruner."""
    pruner = settings.pruner
    if not pruner:
        return []
    target = str(pruner.get("_target_"))
    name = target.rpartition(".")[2]
    if name == "NopPruner":
        return []
    if name not in _SCHEDULERS:
        raise CompactHydraException(
            f"hydra.sweeper.pruner._target_={target}: hpo has no counterpart of this pruner; choose a method that stops "
            "trials early, such as hydra.sweeper.method=ASHA-STOP" + did_you_mean(name, list(_SCHEDULERS))
        )
    if settings.resource_attr is None:
        raise CompactHydraException(
            f"hydra.sweeper.pruner={name}: trials are stopped early by what they report; have the app call "
            "hpo.report(epoch=3, loss=0.5) after each epoch, and write hydra.sweeper.resource_attr=epoch"
        )
    scheduler, accepted, arguments = _SCHEDULERS[name]
    given = {key: value for key, value in pruner.items() if key != "_target_" and value is not None}
    for key, value in given.items():
        if key not in accepted:
            raise CompactHydraException(
                f"hydra.sweeper.pruner.{key}={value}: hpo's {scheduler} has no such setting; leave it out"
            )
    words = {"_target_": f"hpo.schedulers.{scheduler}", **arguments(given)}
    return [f"++method.scheduler.{key}={_written(value)}" for key, value in words.items()]


def _median(given: Mapping[str, Any]) -> dict[str, Any]:
    rule = {
        "percentile": given.get("percentile", 50),
        "min_completed": max(int(given.get("n_startup_trials", 5)), 1),
        "warmup": max(int(given.get("n_warmup_steps", 0)), 1),
        "interval": given.get("interval_steps", 1),
        "compare": "value",
    }
    return {"rules": [{"median": rule}]}


def _patience(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"rules": [{"patience": {"reports": given.get("patience", 1), "min_delta": given.get("min_delta", 0.0)}}]}


def _halving(given: Mapping[str, Any]) -> dict[str, Any]:
    least = given.get("min_resource", 1)
    return {"min_resource": 1 if least == "auto" else least, "reduction_factor": given.get("reduction_factor", 4)}


def _hyperband(given: Mapping[str, Any]) -> dict[str, Any]:
    return {**_halving({"reduction_factor": 3, **given}), "brackets": None}


_QUARTILE = ("n_startup_trials", "n_warmup_steps", "interval_steps")
_SCHEDULERS: dict[str, tuple[str, tuple[str, ...], Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "MedianPruner": ("StoppingRules", _QUARTILE, _median),
    "PercentilePruner": ("StoppingRules", ("percentile", *_QUARTILE), _median),
    "PatientPruner": ("StoppingRules", ("patience", "min_delta"), _patience),
    "SuccessiveHalvingPruner": ("StoppingASHA", ("min_resource", "reduction_factor"), _halving),
    "HyperbandPruner": ("StoppingASHA", ("min_resource", "reduction_factor"), _hyperband),
}
"""By pruner: our scheduler, the pruner's arguments that it understands, and the scheduler's arguments from those."""


def _written(value: Any) -> str:
    """Return a value as an override has it, mappings in lists included."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_written(item)}" for key, item in value.items()) + "}"
    return f"[{','.join(map(_written, value))}]" if isinstance(value, list) else override_text(value)


def _warn(settings: HpoSweeperConf) -> None:
    """Warn of keys that are not used, with what to do instead."""
    if settings.storage is not None:
        log.warning(
            "hydra.sweeper.storage=%s: results lie in hydra.sweep.dir, and those of an earlier study are not used; "
            "`hpo export --to optuna` writes a study from them, and hydra.sweeper.warm_start starts from an earlier search",
            settings.storage,
        )
    if settings.study_name is not None:
        log.info(
            "hydra.sweeper.study_name=%s: a search is named by its hydra.sweep.dir; the same command resumes it",
            settings.study_name,
        )
    rate = settings.max_failure_rate
    if rate is not None and not math.isclose(rate % 1, 0):
        log.warning(
            "hydra.sweeper.max_failure_rate=%s: hpo counts trials that fail in a row, at most three; "
            "hydra.sweeper.overrides=['max_failures=10'] allows more",
            rate,
        )
