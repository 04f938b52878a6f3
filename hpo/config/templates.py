"""A configuration file for each trial: the user's own, with the trial's values at their places."""

import copy
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hpo.config.yaml_files import dump_verbatim
from hpo.errors import ConfigError, did_you_mean, how_to_install

FORMATS = {".json", ".yaml", ".yml", ".toml"}


@dataclass(frozen=True)
class Template:
    """What a configuration file contains before a trial's values are set.

    Args:
        path: of the user's file; its suffix says what it is and what the trials get.
        content: of it.
    """

    path: Path
    content: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Template":
        """Raises ConfigError where it cannot be read, or its suffix is none that is known."""
        key = f"benchmark.config_file={path}"
        if path.suffix not in FORMATS:
            raise ConfigError(f"{key}: its name must end in {', '.join(sorted(FORMATS))}")
        try:
            text = path.read_text()
            content = {".json": json.loads, ".toml": tomllib.loads}.get(path.suffix, yaml.safe_load)(text)
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise ConfigError(f"{key}: cannot be read: {' '.join(str(error).split())}") from error
        if not isinstance(content, Mapping):
            raise ConfigError(f"{key}: it is no mapping of names to values")
        return cls(path, content)

    def text(self, values: Mapping[str, Any]) -> str:
        """The file with values set, by dotted names; numbers in them count the elements of lists from 0.

        Raises:
            ConfigError: there is no such place.
        """
        content = copy.deepcopy(self.content)
        for name, value in values.items():
            self._set(content, name, value)
        if self.path.suffix == ".json":
            return json.dumps(content, indent=1)
        if self.path.suffix == ".toml":
            return _toml(content)
        return dump_verbatim(content)

    def _set(self, content: Any, name: str, value: Any) -> None:
        if name in content:  # dots and all
            content[name] = value
            return
        *folders, last = name.split(".")
        for depth, part in enumerate([*folders, last]):
            place: Any = int(part) if isinstance(content, list) and part.isdecimal() else part
            known = range(len(content)) if isinstance(content, list) else content
            if not isinstance(content, list | dict) or place not in known:
                names = [".".join([*folders[:depth], str(key)]) for key in known] if isinstance(content, dict) else []
                raise ConfigError(
                    f"{name}: benchmark.config_file={self.path} has no such place{did_you_mean(name, names)}; add it "
                    "there, or give its name there as the hyperparameter's argument"
                )
            if depth == len(folders):
                content[place] = value
            content = content[place]


def _toml(content: Mapping[str, Any]) -> str:
    try:
        import tomli_w
    except ImportError as error:
        raise ConfigError(
            f"benchmark.config_file: to write TOML takes the package tomli-w; {how_to_install('toml')}"
        ) from error
    return str(tomli_w.dumps(content))
