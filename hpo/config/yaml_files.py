"""YAML files: read safely (no code, no exploding aliases, no repeated keys), written so that they read back equal."""

import contextlib
import dataclasses
import functools
import io
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from hpo.config.hydra_versions import parse_yaml
from hpo.errors import ConfigError
from hpo.store.untrusted import MOST_CONFIG, read_untrusted


def load_yaml(path: Path, data: bytes) -> Any:
    """Parse the content of a YAML file with OmegaConf.

    Args:
        path: Path of the file, for messages.
        data: Content of the file.

    Raises:
        ConfigError: The content is not valid YAML.
    """
    try:
        stream = io.StringIO(data.decode())
        stream.name = str(path)  # the parser's messages name it
        return parse_yaml(stream)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not valid YAML ({one_line(error)})") from error


def one_line(error: Exception) -> str:
    """Return a parser's multi-line message as one line."""
    return " ".join(str(error).split())


def with_leaves(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a copy of a plain value in which `change` is applied to everything that is neither a list nor a mapping."""
    if isinstance(value, dict):
        return {key: with_leaves(item, change) for key, item in value.items()}
    return [with_leaves(item, change) for item in value] if isinstance(value, list) else change(value)


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return a copy of a plain value in which `change` is applied to every string inside, except keys of mappings."""
    return with_leaves(value, lambda leaf: change(leaf) if isinstance(leaf, str) else leaf)


def escape(value: Any) -> Any:
    r"""Return a copy of a plain value in which every `${x}` becomes `\${x}`, which OmegaConf reads literally."""
    return with_texts(value, lambda text: re.sub(r"(\\*)\$\{", lambda match: 2 * match.group(1) + "\\${", text))


def has_interpolation(value: Any) -> bool:
    """Whether a value contains a `${x}` that OmegaConf would resolve, inside lists and mappings too."""
    if isinstance(value, str):
        return re.search(r"(?<!\\)(\\\\)*\$\{", value) is not None
    if isinstance(value, dict):
        return any(has_interpolation(item) for pair in value.items() for item in pair)
    return isinstance(value, list) and any(has_interpolation(item) for item in value)


class _Dumper(yaml.CSafeDumper if hasattr(yaml, "CSafeDumper") else yaml.SafeDumper):  # type: ignore[misc]
    """A YAML dumper that quotes strings such as 1e-3, which OmegaConf would otherwise read as numbers."""


def _represent_text(dumper: Any, text: str) -> Any:
    style = None if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def dump_yaml(content: Any) -> str:
    """Return plain values as YAML that `load_yaml` reads back equal once interpolations are resolved."""
    return dump_verbatim(escape(content))


def dump_verbatim(content: Any) -> str:
    """Return plain values as YAML that any YAML parser reads back equal."""
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000))


def flow_text(value: Any) -> str:
    """Return a plain value as YAML on one line, to stand after a key."""
    text = yaml.dump(
        escape(value), Dumper=_Dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1_000_000
    )
    return str(text).partition("\n")[0]


def override_text(value: Any) -> str:
    """Return a value in the form that Hydra's override grammar reads back equal."""
    if isinstance(value, str):
        return quoted(escape(value))
    if isinstance(value, Mapping):  # in the grammar a key has no quotes
        return "{" + ",".join(f"{name}:{override_text(item)}" for name, item in value.items()) + "}"
    return f"[{','.join(map(override_text, value))}]" if isinstance(value, list) else json.dumps(value)


def points_override(configurations: Iterable[Mapping[str, Any]]) -> str:
    """Return the override that makes a search begin with the given configurations."""
    points = [
        "{" + ", ".join(f"{name}: {override_text(value)}" for name, value in configuration.items()) + "}"
        for configuration in configurations
    ]
    return f"benchmark.points_to_evaluate=[{', '.join(points)}]"


def quoted(text: str) -> str:
    """Quote a text for Hydra's override grammar, for values that OmegaConf does not resolve afterwards."""
    # Hydra's grammar has one escape: backslashes directly before a quote or at the end are doubled.
    out, pending = "", 0
    for character in text:
        if character == "\\":
            pending += 1
            continue
        out += "\\" * (2 * pending + 1 if character == "'" else pending) + character
        pending = 0
    return "'" + out + "\\" * (2 * pending) + "'"


MOST_VALUES = 100_000
"""Largest number of values that aliases in a file may expand to; copying more takes seconds."""


_LONGEST = 500


@contextlib.contextmanager
def errors_as_sentence(what: str = "") -> Iterator[None]:
    """Convert every exception in the block into a ConfigError; only a parser or OmegaConf may be called inside.

    Args:
        what: Beginning of the message, such as a file's name.
    """
    try:
        yield
    except (ConfigError, MemoryError):
        raise
    except RecursionError as error:
        raise ConfigError(f"{what}the configuration is nested too deeply, or holds itself") from error
    except Exception as error:
        raise ConfigError(what + _first_lines(error)) from error


def read_yaml(path: Path) -> Any:
    """Read a YAML file with OmegaConf.

    Raises:
        ConfigError: The file cannot be read or is not valid YAML.
    """
    return _read(path, Path.read_bytes)


def _read(path: Path, read: Callable[[Path], bytes]) -> Any:
    with errors_as_sentence(f"{path}: is not a valid configuration: "):
        try:
            data = read(path)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error
        _check_aliases(path, data)
        return load_yaml(path, data)


def read_plain(path: Path) -> Any:
    """Read a YAML file as plain values; interpolations stay as written."""
    content = read_yaml(path)
    with errors_as_sentence(f"{path}: is not a valid configuration: "):
        return OmegaConf.to_container(content)


def read_stored(path: Path) -> Any:
    """Read a YAML file that hpo itself wrote, which therefore contains no interpolation.

    An interpolation there was added by somebody else and could read the environment of whoever opens the file. Links
    and other irregular files are not read at all.

    Raises:
        ConfigError: The file cannot be read, is not valid YAML, or contains an interpolation.
    """
    content = _read(path, lambda file: read_untrusted(file, MOST_CONFIG))
    with errors_as_sentence(f"{path}: is not a valid configuration: "):
        if OmegaConf.is_config(content) and has_interpolation(OmegaConf.to_container(content)):
            raise ConfigError(f"{path}: holds an interpolation, which hpo does not store; write its value in its place")
    return content


def check_kinds(config: Any, prefix: str = "") -> None:
    """Raise ConfigError for a string, list or mapping in a dataclass field whose type does not allow it.

    OmegaConf accepts such values if an interpolation resolves to them or if they look like an escaped interpolation.
    """
    kind: Any = type(config)  # Any: mypy does not accept a class as Hashable
    for name, kinds in _fields(kind):
        value = getattr(config, name)
        if value is not None and _kind(value) not in kinds:
            raise ConfigError(f"{prefix}{name}={str(value)[:200]!r}: a {_kind(value)} is not possible here")
        if dataclasses.is_dataclass(value):
            check_kinds(value, f"{prefix}{name}.")


def _kind(value: Any) -> str:
    if type(value) is str:  # not isinstance: an Enum may be a str, too
        return "text"
    return "mapping" if isinstance(value, dict) else "list" if isinstance(value, list) else "value"


@functools.cache
def _fields(kind: Any) -> list[tuple[str, set[str]]]:
    """Return the names of a dataclass's fields, each with the kinds of values that it accepts."""
    hints = typing.get_type_hints(kind)
    return [(field.name, _kinds(hints[field.name])) for field in dataclasses.fields(kind)]


def _kinds(hint: Any) -> set[str]:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return set().union(*map(_kinds, typing.get_args(hint)))
    if hint is Any:
        return {"text", "mapping", "list", "value"}
    return {{str: "text", dict: "mapping", list: "list"}.get(origin or hint, "value")}


def _check_aliases(path: Path, text: bytes) -> None:
    if re.search(rb"&\w", text) and re.search(rb"\*\w", text):
        values = _count(yaml.compose(text, Loader=yaml.SafeLoader), {})
        if values > MOST_VALUES:
            raise ConfigError(f"{path}: its aliases (*name) stand for more than {MOST_VALUES:,} values; write fewer")


def _count(node: yaml.Node | None, known: dict[int, int]) -> int:
    """Count the values of a YAML node as if every alias were a copy."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = MOST_VALUES  # until counted: a node that contains itself would recurse for ever
        parts = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
        known[id(node)] = 1 + sum(_count(part, known) for part in parts)
    return known[id(node)]


def _first_lines(error: Exception) -> str:
    """Return the first line of OmegaConf's message and the line that names the key."""
    lines = [line.strip() for line in str(error).splitlines()]
    details = [line for line in lines[1:] if line.startswith("full_key:")][:1]
    text = " ".join([lines[0] if lines else type(error).__name__, *details])
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
