"""Opening an experiment: what shall run in a directory, and whether it may resume what is stored there."""

import contextlib
import json
import logging
import secrets
import shutil
from collections.abc import Collection, Iterator
from dataclasses import asdict, replace
from typing import Any

from hpo.config.budgets import BUDGET_KEYS
from hpo.config.reading import read_config, resolve, to_plain
from hpo.config.schema import MACHINE_KEYS, REAL_BACKENDS, RUN_KEYS, ExperimentConfig
from hpo.config.stop_when import parse_stop_when
from hpo.errors import ConfigError, StoreError
from hpo.events.state import ExperimentState
from hpo.events.steering import same_limits
from hpo.events.types import Event, Kind
from hpo.experiment.warm_start import prepare_copy
from hpo.store.directory import LAUNCH_LOCK, LAUNCH_RECORD, ExperimentDirectory
from hpo.store.event_store import Store
from hpo.store.store_repair import is_lost

log = logging.getLogger(__name__)


def settle(files: ExperimentDirectory, config: ExperimentConfig) -> tuple[ExperimentConfig, ExperimentConfig | None]:
    """Return the configuration to run in a directory, and that of the stored experiment which it resumes (or None).

    With `overwrite` a stored experiment is deleted first. The returned configuration is resolved and has its
    random_seed: as given, else as stored, else drawn. Results for a warm start are copied into the directory.

    Raises:
        ConfigError: The configuration is wrong, or the stored one is damaged.
        StoreError: The directory contains a different experiment.
    """
    copy = None
    if config.overwrite:
        copy = prepare_copy(files, resolve(config))  # before deleting: a source that cannot be used raises
        _delete(files)
    stored = stored_config(files)
    drawn = secrets.randbelow(2**31) if config.random_seed is None and stored is None else None
    config = resolve(with_random_seed(config, stored, drawn))
    if stored is not None and config.warm_start and config.warm_start_sha256 is None and has_begun(files):
        config = replace(config, warm_start_sha256=stored.warm_start_sha256)
    check_resumable(files, stored, config)
    _refuse_lost_events(files)
    if stored is not None and has_begun(files):
        config = with_order_of(stored, config)
    copy = copy or prepare_copy(files, config)
    return replace(config, warm_start_sha256=copy.write(files)), stored


def with_random_seed(
    config: ExperimentConfig, stored: ExperimentConfig | None, otherwise: int | None = None
) -> ExperimentConfig:
    """Return a configuration with its random_seed set: its own, else that of the experiment it resumes, else `otherwise`."""
    if config.random_seed is not None:
        return config
    return replace(config, random_seed=stored.random_seed if stored is not None else otherwise)


def with_order_of(stored: ExperimentConfig, config: ExperimentConfig) -> ExperimentConfig:
    """Return a configuration with its hyperparameters in the order of the stored one, which has the same.

    The order determines which random number belongs to which hyperparameter, so it must not change on resume.
    """
    space = config.benchmark.config_space
    ordered = {name: space[name] for name in stored.benchmark.config_space}
    return replace(config, benchmark=replace(config.benchmark, config_space=ordered))


def stored_config(files: ExperimentDirectory) -> ExperimentConfig | None:
    """Return the configuration of the experiment in a directory; None if there is none.

    Raises:
        ConfigError: The stored configuration is damaged.
    """
    if not files.config.exists():
        return None
    try:
        stored = read_config(files.config)
        if stored.random_seed is None:
            raise ConfigError("random_seed=null")
        return stored
    except ConfigError as error:
        raise ConfigError(
            f"{files.config} is damaged ({error}): delete that file and the same command writes it again and resumes, or "
            f"pass overwrite=true to start again"
        ) from error


def _delete(files: ExperimentDirectory) -> None:
    """Delete an experiment in such an order that the next call recovers if this one is killed in between.

    The log is deleted first, so that a remainder does not look like an experiment. Locks stay because other processes
    may hold them; the identity stays because processes that the experiment left behind are found by it.
    """
    if not any(path.exists() for path in (files.config, files.events, files.trials)):
        return
    spared = (files.lock, files.owner, files.identity, files.path / LAUNCH_LOCK)
    order = {files.events: 0, files.trials: 2, files.config: 3}
    for path in sorted(files.path.iterdir(), key=lambda path: order.get(path, 1)):
        if path not in spared:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def is_done(last: Event | None, stored: ExperimentConfig | None, config: ExperimentConfig) -> bool:
    """Whether an experiment has finished with the budget of `config`.

    Args:
        last: The newest event. It names the budget that was used up, except in logs of earlier versions.
        stored: Configuration in the directory. A session that failed to start may have changed the budget there.
        config: Requested configuration.
    """
    if last is None or last.kind != Kind.FINISHED:
        return False
    if (rule := last.body.get("stop_when")) is not None:
        wanted = parse_stop_when(config.stop_when)  # more of a budget that was not used up changes nothing
        return wanted is not None and asdict(wanted) == rule
    if (budget := last.body.get("budget")) is not None:
        known = [budget, *([last.body["given"]] if last.body.get("given") else [])]  # before commands
        return any(same_limits(one, config.budget) for one in known)
    return stored is None or stored.budget == config.budget


def what_is_over(store: Store, stored: ExperimentConfig | None, config: ExperimentConfig) -> ExperimentState | None:
    """Return the state of an experiment that has finished with the budget of `config`; None if there is more to run."""
    if not is_done(store.last(), stored, config):
        return None
    state = ExperimentState(config.objective).apply_all(store.read())
    return None if config.retry is not None and state.failed_trials() else state


def check_resumable(files: ExperimentDirectory, stored: ExperimentConfig | None, config: ExperimentConfig) -> None:
    """Raise StoreError unless `config` may resume the experiment stored in the directory, if there is one."""
    remedy = "pass overwrite=true to delete it, or another experiment_tag"
    if stored is not None and (changes := differences(stored, config)) and has_begun(files):
        shown = "; ".join(changes[:10]) + (f"; and {len(changes) - 10} more" if len(changes) > 10 else "")
        raise StoreError(f"{files.path} holds an experiment of another configuration ({shown}); {remedy}")
    if not config.resume and (stored is not None or files.events.exists()):
        raise StoreError(f"resume=false, but {files.path} holds an experiment; {remedy}, or resume=true to resume it")


def _refuse_lost_events(files: ExperimentDirectory) -> None:
    """Raise StoreError if the directory has trials but no events, because resuming would silently train them again."""
    trained = {path.parent.name for path in files.trials.glob("[0-9]*/attempt_*")}
    if trained and is_lost(files.events):
        raise StoreError(
            f"{files.events}: is gone or empty, and with it the results of the {len(trained)} trial(s) in {files.trials}; "
            f"put it back from a copy to resume, or pass overwrite=true to delete the trials and train everything again"
        )


def has_begun(files: ExperimentDirectory) -> bool:
    """Whether a trial has been started. Until then the next call may correct the configuration."""
    if files.trials.exists() or (files.path / LAUNCH_RECORD).exists():
        return True
    try:
        with contextlib.closing(Store(files.events, read_only=True)) as store:
            return any(event.kind == Kind.STARTED for event in store.read())
    except StoreError:
        return files.events.exists()  # a damaged log counts as begun


def differences(old: ExperimentConfig, new: ExperimentConfig) -> list[str]:
    """Return `key: old -> new` for every key that differs between two configurations and must not differ on resume."""
    if new.warm_start_sha256 is None:  # the copy has not been looked for yet
        new = replace(new, warm_start_sha256=old.warm_start_sha256)
    machine = {*old.benchmark.arguments_of_the_machine, *new.benchmark.arguments_of_the_machine}
    before, after = _comparable(old, machine), _comparable(new, machine)
    if {
        old.backend_target,
        new.backend_target,
    } <= REAL_BACKENDS:  # equal results on all of these
        del before["backend"], after["backend"]
    return list(_diff("", before, after))


def _comparable(config: ExperimentConfig, machine: Collection[str]) -> dict[str, Any]:
    content = to_plain(config)
    for key in (*BUDGET_KEYS, "stop_when", *RUN_KEYS, *MACHINE_KEYS):  # these may differ on resume
        content.pop(key, None)
        content["benchmark"].pop(key, None)
    content["benchmark"]["arguments"] = config.benchmark.arguments_besides(machine)
    return content


def _diff(prefix: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            yield from _diff(f"{prefix}.{key}" if prefix else str(key), old.get(key), new.get(key))
    elif old != new and json.dumps(old, default=str) != json.dumps(new, default=str):  # nan != nan
        yield f"{prefix}: {old} -> {new}"
