"""Reading YAML files, with every failure as one sentence; and text that OmegaConf shall not read as an interpolation."""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from hpo.errors import ConfigError


def load_yaml(path: Path) -> Any:
    """The file's content as OmegaConf reads it.

    Raises:
        ConfigError: it cannot be read, or is not valid YAML.
    """
    try:
        return OmegaConf.load(path)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not valid YAML ({one_line(error)})") from error


def one_line(error: Exception) -> str:
    """A parser's message of several lines as one."""
    return " ".join(str(error).split())


def escape(value: Any) -> Any:
    r"""A plain value in which OmegaConf reads `${x}` literally: it becomes `\${x}`, inside lists and mappings too."""
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", lambda match: 2 * match.group(1) + "\\${", value)
    if isinstance(value, dict):
        return {key: escape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escape(item) for item in value]
    return value


def has_interpolation(value: Any) -> bool:
    """Is there a `${x}` that OmegaConf would resolve, inside lists and mappings too?"""
    if isinstance(value, str):
        return re.search(r"(?<!\\)(\\\\)*\$\{", value) is not None
    if isinstance(value, dict):
        return any(has_interpolation(item) for pair in value.items() for item in pair)
    return isinstance(value, list) and any(has_interpolation(item) for item in value)


class _Dumper(yaml.CSafeDumper if hasattr(yaml, "CSafeDumper") else yaml.SafeDumper):  # type: ignore[misc]
    """Writes strings so that OmegaConf, which reads 1e-3 as a number, gives them back as strings."""


def _represent_text(dumper: Any, text: str) -> Any:
    style = None if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def dump_yaml(content: Any) -> str:
    """Plain values as YAML; `load_yaml` gives them back equal once interpolations are resolved."""
    return dump_verbatim(escape(content))


def dump_verbatim(content: Any) -> str:
    """Plain values as YAML; a YAML parser gives them back equal."""
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000))


def override_text(value: Any) -> str:
    """A value as Hydra's override grammar reads it back."""
    if not isinstance(value, str):
        return json.dumps(value)
    return quoted(escape(value))


def quoted(text: str) -> str:
    """A text as Hydra's override grammar reads it back, where OmegaConf does not resolve it afterwards."""
    # The grammar knows one escape: backslashes directly before a quote, or at the end, are doubled.
    out, pending = "", 0
    for character in text:
        if character == "\\":
            pending += 1
            continue
        out += "\\" * (2 * pending + 1 if character == "'" else pending) + character
        pending = 0
    return "'" + out + "\\" * (2 * pending) + "'"
