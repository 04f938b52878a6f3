"""`@file.yaml` on the command line stands for the overrides listed in that file, such as an experiment's best.yaml."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from hpo.errors import ConfigError


def expand(arguments: Sequence[str]) -> list[str]:
    """The command line with each `@file` replaced by the file's `overrides`.

    Raises:
        ConfigError: a file is not there or lists none.
    """
    return [word for argument in arguments for word in (_read(argument) if argument.startswith("@") else [argument])]


def _read(argument: str) -> list[str]:
    path = Path(argument[1:])
    try:
        content = OmegaConf.load(path)
    except OSError as error:
        raise ConfigError(f"{argument}: cannot be read ({error.strerror}); name a file such as best.yaml") from error
    overrides = content.get("overrides") if isinstance(content, DictConfig) else None
    if not overrides:
        raise ConfigError(f"{argument}: has no list `overrides`")
    return [str(override) for override in overrides]
