"""Configurations that may be damaged or hostile: whatever is in them, what is wrong is one sentence.

The parser and OmegaConf raise much more than their own errors: `!!int abc` is a ValueError, a list that holds itself a
RecursionError. And a few lines of aliases of aliases stand for more values than fit into memory.
"""

import contextlib
import dataclasses
import functools
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from hpo.errors import ConfigError
from hpo.yamlfile import has_interpolation, load_yaml

MOST_VALUES = 100_000
"""That aliases may stand for; copying them all takes seconds."""
_LONGEST = 500


@contextlib.contextmanager
def one_sentence(what: str = "") -> Iterator[None]:
    """Whatever a parser or OmegaConf raises inside is a ConfigError; nothing else may be called inside.

    Args:
        what: the sentence's beginning, such as a file's name.
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
    """The file's content as OmegaConf reads it.

    Raises:
        ConfigError: it cannot be read, or is not valid YAML.
    """
    with one_sentence(f"{path}: is not a valid configuration: "):
        _check_aliases(path)
        return load_yaml(path)


def read_stored(path: Path) -> Any:
    """As `read_yaml`, for what hpo itself has written: in that, nothing is left to resolve.

    An interpolation there is from somebody else, and would read the environment of whoever looks at the file.

    Raises:
        ConfigError: it cannot be read, is not valid YAML, or holds an interpolation.
    """
    content = read_yaml(path)
    with one_sentence(f"{path}: is not a valid configuration: "):
        if OmegaConf.is_config(content) and has_interpolation(OmegaConf.to_container(content)):
            raise ConfigError(f"{path}: holds an interpolation, which hpo does not store; write its value in its place")
    return content


def check_kinds(config: Any, prefix: str = "") -> None:
    """Raise ConfigError for a text, list or mapping in a dataclass's field that takes none.

    OmegaConf lets them in where they are what an interpolation comes to, or look like an escaped one.
    """
    kind: Any = type(config)  # mypy takes a class for no Hashable
    for name, kinds in _fields(kind):
        value = getattr(config, name)
        if value is not None and _kind(value) not in kinds:
            raise ConfigError(f"{prefix}{name}={str(value)[:200]!r}: a {_kind(value)} is not possible here")
        if dataclasses.is_dataclass(value):
            check_kinds(value, f"{prefix}{name}.")


def _kind(value: Any) -> str:
    if type(value) is str:  # an Enum may be one, too
        return "text"
    return "mapping" if isinstance(value, dict) else "list" if isinstance(value, list) else "value"


@functools.cache
def _fields(kind: Any) -> list[tuple[str, set[str]]]:
    """Names of a dataclass's fields, and what each takes."""
    hints = typing.get_type_hints(kind)
    return [(field.name, _kinds(hints[field.name])) for field in dataclasses.fields(kind)]


def _kinds(hint: Any) -> set[str]:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return set().union(*map(_kinds, typing.get_args(hint)))
    if hint is Any:
        return {"text", "mapping", "list", "value"}
    return {{str: "text", dict: "mapping", list: "list"}.get(origin or hint, "value")}


def _check_aliases(path: Path) -> None:
    try:
        text = path.read_bytes()
    except OSError:
        return  # `load_yaml` says it
    if re.search(rb"&\w", text) and re.search(rb"\*\w", text):
        values = _count(yaml.compose(text, Loader=yaml.SafeLoader), {})
        if values > MOST_VALUES:
            raise ConfigError(f"{path}: its aliases (*name) stand for more than {MOST_VALUES:,} values; write fewer")


def _count(node: yaml.Node | None, known: dict[int, int]) -> int:
    """How many values there are once every alias is a copy."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = MOST_VALUES  # until it is known: a node inside itself has no end
        parts = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
        known[id(node)] = 1 + sum(_count(part, known) for part in parts)
    return known[id(node)]


def _first_lines(error: Exception) -> str:
    """What went wrong, and at which key: OmegaConf's message has a line for each."""
    lines = [line.strip() for line in str(error).splitlines()]
    details = [line for line in lines[1:] if line.startswith("full_key:")][:1]
    text = " ".join([lines[0] if lines else type(error).__name__, *details])
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
