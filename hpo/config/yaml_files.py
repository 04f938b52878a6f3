"""YAML files: read without surprises (no code, no endless aliases, no key twice), written so that they read back equal."""

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
from omegaconf._utils import get_yaml_loader

from hpo.errors import ConfigError
from hpo.store.untrusted import MOST_CONFIG, read_untrusted


def load_yaml(path: Path, data: bytes) -> Any:
    """A file's content as OmegaConf reads it.

    Args:
        path: of the file, for messages.
        data: what it holds.

    Raises:
        ConfigError: it is not valid YAML.
    """
    try:
        stream = io.StringIO(data.decode())
        stream.name = str(path)  # the parser tells it
        content = yaml.load(stream, Loader=_loader())
        return OmegaConf.create({} if content is None else content)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not valid YAML ({one_line(error)})") from error


@functools.cache
def _loader() -> Any:
    """Return the class of OmegaConf's YAML loader, with the parser in C if PyYAML has it: that is seven times as fast."""
    reader: Any = get_yaml_loader()
    if not hasattr(yaml, "CSafeLoader"):
        return reader

    class Loader(yaml.CSafeLoader, reader):  # type: ignore[misc]
        """Parses in C, and makes values as OmegaConf does."""

    return Loader


def one_line(error: Exception) -> str:
    """A parser's message of several lines as one."""
    return " ".join(str(error).split())


def with_leaves(value: Any, change: Callable[[Any], Any]) -> Any:
    """A plain value in which whatever is neither a list nor a mapping is changed, inside them too."""
    if isinstance(value, dict):
        return {key: with_leaves(item, change) for key, item in value.items()}
    return [with_leaves(item, change) for item in value] if isinstance(value, list) else change(value)


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """A plain value in which every text is changed, inside lists and mappings too; their keys are not."""
    return with_leaves(value, lambda leaf: change(leaf) if isinstance(leaf, str) else leaf)


def escape(value: Any) -> Any:
    r"""A plain value in which OmegaConf reads `${x}` literally: it becomes `\${x}`, inside lists and mappings too."""
    return with_texts(value, lambda text: re.sub(r"(\\*)\$\{", lambda match: 2 * match.group(1) + "\\${", text))


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


def flow_text(value: Any) -> str:
    """A plain value as YAML on one line, as it may stand behind a key."""
    text = yaml.dump(
        escape(value), Dumper=_Dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1_000_000
    )
    return str(text).partition("\n")[0]


def override_text(value: Any) -> str:
    """A value as Hydra's override grammar reads it back."""
    if isinstance(value, str):
        return quoted(escape(value))
    if isinstance(value, Mapping):  # in the grammar a key has no quotes
        return "{" + ",".join(f"{name}:{override_text(item)}" for name, item in value.items()) + "}"
    return f"[{','.join(map(override_text, value))}]" if isinstance(value, list) else json.dumps(value)


def points_override(configurations: Iterable[Mapping[str, Any]]) -> str:
    """The override that has a search begin with these configurations."""
    points = [
        "{" + ", ".join(f"{name}: {override_text(value)}" for name, value in configuration.items()) + "}"
        for configuration in configurations
    ]
    return f"benchmark.points_to_evaluate=[{', '.join(points)}]"


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


MOST_VALUES = 100_000
"""That aliases may stand for; copying them all takes seconds."""


_LONGEST = 500


@contextlib.contextmanager
def errors_as_sentence(what: str = "") -> Iterator[None]:
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
    """As `read_yaml`, as plain values; interpolations stay as they are written."""
    content = read_yaml(path)
    with errors_as_sentence(f"{path}: is not a valid configuration: "):
        return OmegaConf.to_container(content)


def read_stored(path: Path) -> Any:
    """As `read_yaml`, for what hpo itself has written: in that, nothing is left to resolve.

    An interpolation there is from somebody else, and would read the environment of whoever looks at the file. A link, or
    whatever else is not a regular file, is not read at all.

    Raises:
        ConfigError: it cannot be read, is not valid YAML, or holds an interpolation.
    """
    content = _read(path, lambda file: read_untrusted(file, MOST_CONFIG))
    with errors_as_sentence(f"{path}: is not a valid configuration: "):
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


def _check_aliases(path: Path, text: bytes) -> None:
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
