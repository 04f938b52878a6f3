"""`@file.yaml` on the command line stands for the overrides listed in that file, such as an experiment's best.yaml."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from hpo.errors import ConfigError
from hpo.yamlguard import read_yaml


def expand(arguments: Sequence[str]) -> list[str]:
    """The command line with each `@file` replaced by the file's `overrides`.

    Raises:
        ConfigError: a file is not there or lists none.
    """
    return [word for argument in arguments for word in (_read(argument) if argument.startswith("@") else [argument])]


def _read(argument: str) -> list[str]:
    content = read_yaml(Path(argument[1:]))
    plain = OmegaConf.to_container(content, resolve=False)
    overrides = plain.get("overrides") if isinstance(plain, dict) else None
    if not isinstance(overrides, list) or not overrides:
        raise ConfigError(f"{argument}: has no list `overrides`, as an experiment's best.yaml has")
    return [str(override) for override in overrides]
