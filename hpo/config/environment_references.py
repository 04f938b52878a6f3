"""References to the environment: `${oc.env:TOKEN}` is stored and shown as `${hpo.env:TOKEN}`, and not as its value.

The name differs so that a text that merely looks like an interpolation stays that text. Only what starts a program, or
makes a callback, puts the variable's value in their place. So a secret never lies on the disk, and an experiment goes on
after it was changed.
"""

import os
import re
import shlex
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from hpo.config.yaml_files import escape, with_texts
from hpo.errors import ConfigError

_NAME = r"env:([A-Za-z_][A-Za-z0-9_]*)(?:,([^{}$]*))?\}"
GIVEN = re.compile(r"(?<!\\)\$\{oc\." + _NAME)
REFERENCE = re.compile(r"\$\{hpo\." + _NAME)


def is_reference(text: str) -> bool:
    """Does a text, not resolved yet, hold references to the environment and no other interpolation?"""
    return GIVEN.search(text) is not None and "${" not in GIVEN.sub("", text)


def keep(value: Any) -> Any:
    """Plain content that is not resolved yet, in which references are escaped, so that resolving leaves them."""

    def kept(text: str) -> str:
        return str(escape(GIVEN.sub(lambda match: "${hpo." + match[0].removeprefix("${oc."), text)))

    return with_texts(value, lambda text: kept(text) if is_reference(text) else text)


def keep_references(config: DictConfig) -> None:
    """Leave what programs and callbacks are given from the environment as it is: the configuration is stored."""
    for parent, name in ((config.get("benchmark"), "arguments"), (config, "callbacks")):
        given = OmegaConf.is_dict(parent) and not OmegaConf.is_interpolation(parent, name)
        if given and OmegaConf.is_config(node := parent.get(name)):
            parent[name] = keep(OmegaConf.to_container(node))


def from_environment(key: str, value: Any) -> Any:
    """A value with what its references refer to, inside lists and mappings too.

    Raises:
        ConfigError: a variable is not set, and there is no default.
    """
    if isinstance(value, str):
        return REFERENCE.sub(lambda match: _variable(key, value, match), value)
    if isinstance(value, Mapping):
        return {name: from_environment(f"{key}.{name}", item) for name, item in value.items()}
    return [from_environment(key, item) for item in value] if isinstance(value, list) else value


def shell_word(text: str) -> str:
    """A word of a shell's command, quoted, in which the shell resolves the references."""
    pieces, end = [], 0
    for match in REFERENCE.finditer(text):
        pieces += [shlex.quote(text[end : match.start()]) if match.start() > end else "", f'"${{{match[1]}}}"']
        end = match.end()
    return "".join([*pieces, shlex.quote(text[end:]) if end < len(text) or not pieces else ""])


def _variable(key: str, value: str, match: re.Match[str]) -> str:
    name, default = match.groups()
    found = os.environ.get(name, default)
    if found is None:
        raise ConfigError(
            f"{key}={value}: there is no environment variable {name}; set it, or give a default after a comma"
        )
    return found
