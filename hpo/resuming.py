"""May this configuration go on with the experiment that is in the directory? What may differ, and what may not."""

import logging
import shutil
import time
from collections.abc import Iterator
from typing import Any

from omegaconf import OmegaConf

from hpo.config import ExperimentConfig, read_config
from hpo.directory import ExperimentDirectory
from hpo.errors import ConfigError, StoreError
from hpo.state import ExperimentState
from hpo.stopping import BUDGET_KEYS

log = logging.getLogger(__name__)

RUN_KEYS = (
    *("overwrite", "resume", "launcher", "callbacks", "trusted_modules", "start_seed", "num_seeds"),
    *("max_log_megabytes", "max_checkpoint_gigabytes"),
)
"""What concerns a call, not the experiment."""


def stored_config(files: ExperimentDirectory, config: ExperimentConfig) -> ExperimentConfig | None:
    """The configuration of the experiment that is in the directory; deletes that one when `overwrite` says so."""
    if not files.config.exists():
        return None
    if config.overwrite:
        for path in files.path.iterdir():
            if path in (files.lock, files.owner):
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        return None
    try:
        stored = read_config(files.config)
        if stored.random_seed is None:
            raise ConfigError("random_seed=null")
        return stored
    except ConfigError as error:
        raise ConfigError(
            f"{files.config} is damaged ({error}): delete that file and the same command writes it again and goes on, or "
            f"pass overwrite=true to start again"
        ) from error


def check_resumable(files: ExperimentDirectory, stored: ExperimentConfig | None, config: ExperimentConfig) -> None:
    """Raise StoreError unless `config` may go on with the experiment stored in the directory, if there is one."""
    if stored is None:
        return
    remedy = "pass overwrite=true to delete it, or another experiment_tag"
    if changes := differences(stored, config):
        shown = "; ".join(changes[:10]) + (f"; and {len(changes) - 10} more" if len(changes) > 10 else "")
        raise StoreError(f"{files.path} holds an experiment of another configuration ({shown}); {remedy}")
    if not config.resume:
        raise StoreError(
            f"resume=false, but {files.path} holds an experiment; {remedy}, or resume=true to go on with it"
        )


def differences(old: ExperimentConfig, new: ExperimentConfig) -> list[str]:
    """`key: old -> new` for every key in which two resolved experiments differ and may not when one resumes the other."""
    return list(_diff("", _comparable(old), _comparable(new)))


def _comparable(config: ExperimentConfig) -> dict[str, Any]:
    content = OmegaConf.to_container(OmegaConf.structured(config), enum_to_str=True)
    assert isinstance(content, dict)
    for key in (*BUDGET_KEYS, *RUN_KEYS):  # more budget goes on where it ended
        content.pop(key, None)
        content["benchmark"].pop(key, None)
    return {str(key): value for key, value in content.items()}


def _diff(prefix: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            yield from _diff(f"{prefix}.{key}" if prefix else str(key), old.get(key), new.get(key))
    elif old != new:
        yield f"{prefix}: {old} -> {new}"


def put_aside_unknown(files: ExperimentDirectory, state: ExperimentState) -> None:
    """Move away folders of trials and attempts that a damaged and mended log has lost: nothing in them may pass for new."""
    for folder in sorted(files.trials.glob("[0-9]*")):
        known = state.trials.get(int(folder.name)) if folder.name.isdecimal() else None
        lost = [folder]
        if known is not None:
            numbered = [(path.name.removeprefix("attempt_"), path) for path in folder.glob("attempt_*")]
            lost = [path for number, path in numbered if number.isdecimal() and int(number) > known.attempt]
        for path in lost:
            kept = files.left_behind / f"{path.relative_to(files.path)}-{time.time_ns()}".replace("/", "-")
            kept.parent.mkdir(exist_ok=True)
            path.rename(kept)
            log.warning("%s: left by a past that the event log has lost; moved to %s", path, kept)
