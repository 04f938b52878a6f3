"""References to environment variables: `${oc.env:TOKEN}` is stored and shown as `${hpo.env:TOKEN}`, never as its value.

The stored name differs from OmegaConf's, so that text that merely looks like an interpolation stays text. References
are resolved only when a program is started or a callback is constructed. Secrets are therefore never written to disk,
and an experiment resumes after a secret has changed.
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
    """Whether an unresolved text contains references to the environment and no other interpolation."""
    return GIVEN.search(text) is not None and "${" not in GIVEN.sub("", text)


def keep(value: Any) -> Any:
    """Return unresolved plain content with its references to the environment escaped, so that resolving leaves them alone."""

    def kept(text: str) -> str:
        return str(escape(GIVEN.sub(lambda match: "${hpo." + match[0].removeprefix("${oc."), text)))

    return with_texts(value, lambda text: kept(text) if is_reference(text) else text)


def keep_references(config: DictConfig) -> None:
    """Escape references to the environment in the arguments of programs and callbacks: the configuration is stored."""
    for parent, name in ((config.get("benchmark"), "arguments"), (config, "callbacks")):
        given = OmegaConf.is_dict(parent) and not OmegaConf.is_interpolation(parent, name)
        if given and OmegaConf.is_config(node := parent.get(name)):
            parent[name] = keep(OmegaConf.to_container(node))


def from_environment(key: str, value: Any) -> Any:
    """Return a value with its references to the environment resolved, inside lists and mappings too.

    Raises:
        ConfigError: A variable is not set and has no default.
    """
    if isinstance(value, str):
        return REFERENCE.sub(lambda match: _variable(key, value, match), value)
    if isinstance(value, Mapping):
        return {name: from_environment(f"{key}.{name}", item) for name, item in value.items()}
    return [from_environment(key, item) for item in value] if isinstance(value, list) else value


def shell_word(text: str) -> str:
    """Quote a text as one word of a shell command in which the shell itself resolves the references to the environment."""
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
