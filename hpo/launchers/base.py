"""The base class of launchers, which bring a composed experiment (the job) to where it runs, and the choice of a launcher."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.config.targets import factory_of
from hpo.errors import ConfigError


@dataclass(frozen=True)
class Job:
    """A job: one composed experiment."""

    config: ExperimentConfig
    output_dir: Path
    sweep_dir: Path


class Launcher(ABC):
    """A launcher that runs an experiment, here or on another machine."""

    runs_here = False
    """Whether the experiment runs in this process, so that its needs can be checked before."""

    @abstractmethod
    def launch(self, experiment: ExperimentConfig, output_dir: Path) -> int:
        """Launch one experiment whose results belong in `output_dir`.

        Returns:
            An exit code: 0 complete or submitted, 128 + n interrupted by signal n.

        Raises:
            HPOError: The launch failed; one sentence says what is wrong and what to do.
        """


def make_launcher(config: ExperimentConfig, **given: Any) -> Launcher:
    """Make the launcher of an experiment.

    Args:
        config: Configuration of the experiment.
        given: Keys that override those under `launcher`.

    Raises:
        ConfigError: `launcher` does not name a launcher, or its keys are wrong.
    """
    factory = factory_of("launcher", config.launcher, config.trusted_modules, (Launcher,))
    try:
        made = factory(**given)
    except TypeError as error:
        raise ConfigError(f"launcher: {error}; check the keys under launcher") from error
    if not isinstance(made, Launcher):
        raise ConfigError(f"launcher._target_={config.launcher['_target_']}: it is not a subclass of hpo's Launcher")
    return made


def runs_here(config: ExperimentConfig) -> bool:
    """Whether the launcher would run the experiment in this process; False for an invalid launcher."""
    return _runs_here(str(config.launcher.get("_target_")), tuple(config.trusted_modules))


@functools.cache
def _runs_here(target: str, trusted: Sequence[str]) -> bool:
    try:
        factory = factory_of("launcher", {"_target_": target}, trusted, (Launcher,))
    except ConfigError:
        return False
    return bool(getattr(getattr(factory, "func", None), "runs_here", False))
