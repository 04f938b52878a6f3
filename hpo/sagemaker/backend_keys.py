"""The keys of conf/backend/sagemaker.yaml: those of the launcher, and their defaults."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.sagemaker.settings import SageMakerSettings

_LAUNCHERS = ("hpo.sagemaker.SageMakerLauncher", "hpo.launchers.sagemaker.SageMakerLauncher")
"""Present name of the launcher, and the former one."""
_OF_THE_LAUNCHER = ("group", "instance_count", "retries", "sync_checkpoints")
KEYS = tuple(key.name for key in fields(SageMakerSettings) if key.name not in _OF_THE_LAUNCHER)
POLL_SECONDS = 3.0
SILENCE = "silence_seconds"
"""Key that only the backend has: seconds without a message of a job after which the service is asked about it."""


def given_keys(config: ExperimentConfig) -> dict[str, Any]:
    """Return the keys that are given under `backend` or, with launcher=sagemaker, under `launcher`."""
    launcher: Mapping[str, Any] = config.launcher if config.launcher.get("_target_") in _LAUNCHERS else {}
    inherited = {key: launcher[key] for key in KEYS if key in launcher and key not in ("poll_seconds", "sync_seconds")}
    own = {key: config.backend[key] for key in KEYS if config.backend.get(key) is not None}
    return {"poll_seconds": POLL_SECONDS, **{k: v for k, v in inherited.items() if v is not None}, **own}


def settings_of(config: ExperimentConfig) -> SageMakerSettings:
    """Return the checked settings.

    Raises:
        ConfigError: A key is missing or wrong; the sentence names key, value and remedy.
    """
    settings = SageMakerSettings.checked(given_keys(config), placeholders=False, group="backend")
    if not 0.2 <= settings.poll_seconds <= 60:
        raise ConfigError(
            f"backend.poll_seconds={settings.poll_seconds:g}: use a number from 0.2 to 60; 2 to 5 costs little and is "
            f"as quick as a job that starts in minutes can use"
        )
    return settings


def silence_of(config: ExperimentConfig) -> float:
    """Return the seconds without a message of a job after which the service is asked about it.

    Raises:
        ConfigError: The value is not a valid number.
    """
    seconds = config.backend.get(SILENCE, 60.0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= 3600:
        raise ConfigError(f"backend.{SILENCE}={seconds}: use a number from 1 to 3600; AWS slows down who asks often")
    return float(seconds)
