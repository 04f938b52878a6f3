"""Configuration files for trials: a copy of the user's file in which the trial's values are set."""

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
    """The user's configuration file, before a trial's values are set in it.

    Args:
        path: Path of the user's file; its suffix determines the format that is read and written.
        content: Parsed content of the file.
    """

    path: Path
    content: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Template":
        """Read a configuration file.

        Raises:
            ConfigError: The file cannot be read, or its suffix is unknown.
        """
        key = f"benchmark.config_file={path}"
        if path.suffix not in FORMATS:
            raise ConfigError(f"{key}: its name must end in {', '.join(sorted(FORMATS))}")
        try:
            text = path.read_text()
            content = {".json": json.loads, ".toml": tomllib.loads}.get(path.suffix, yaml.safe_load)(text)
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise ConfigError(f"{key}: cannot be read: {' '.join(str(error).split())}") from error
        if not isinstance(content, Mapping):
            raise ConfigError(f"{key}: it is not a mapping of names to values")
        return cls(path, content)

    def text(self, values: Mapping[str, Any]) -> str:
        """Return the text of the file with values set, by dotted names; numbers in a name index lists from 0.

        Raises:
            ConfigError: The file has no such key.
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
        if name in content:  # a key that itself contains dots
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
