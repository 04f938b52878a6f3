"""What every launcher is: it takes a composed experiment, the job, to where that runs. Which one a configuration names."""

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
    """One composed experiment."""

    config: ExperimentConfig
    output_dir: Path
    sweep_dir: Path


class Launcher(ABC):
    """Runs an experiment, or has it run elsewhere."""

    runs_here = False
    """Does it run in this process, so that what it needs can be looked at before?"""

    @abstractmethod
    def launch(self, experiment: ExperimentConfig, output_dir: Path) -> int:
        """Launch one experiment whose results belong in `output_dir`.

        Returns:
            An exit code: 0 complete or submitted, 128 + n interrupted by signal n.

        Raises:
            HPOError: one sentence that says what is wrong and what to do.
        """


def make_launcher(config: ExperimentConfig, **given: Any) -> Launcher:
    """The launcher of an experiment.

    Args:
        config: the experiment's.
        given: keys that count in place of those under `launcher`.

    Raises:
        ConfigError: `launcher` names none, or its keys are wrong.
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
    """Would the launcher run the experiment in this process? A wrong one would not: making it says what is wrong."""
    return _runs_here(str(config.launcher.get("_target_")), tuple(config.trusted_modules))


@functools.cache
def _runs_here(target: str, trusted: Sequence[str]) -> bool:
    try:
        factory = factory_of("launcher", {"_target_": target}, trusted, (Launcher,))
    except ConfigError:
        return False
    return bool(getattr(getattr(factory, "func", None), "runs_here", False))
