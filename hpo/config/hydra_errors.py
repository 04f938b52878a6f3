"""Exceptions of Hydra and OmegaConf as one sentence that names the key, the value and the remedy.

Neither library is imported here, because this module is also used without Hydra: exceptions are recognised by their
attributes.
"""

import dataclasses
import enum
import os
import re
import shlex
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from hpo.config.choices import accepted_names
from hpo.errors import choose, did_you_mean

_ALL_KEYS = "; `hpo --help` lists all keys"
_SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def hydra_error_as_sentence(error: Exception, schema: type, *, own_folder: bool = True, in_python: bool = False) -> str:
    """Return the error message for an exception raised while a configuration was composed or converted to `schema`.

    Args:
        error: Exception from Hydra or OmegaConf.
        schema: Dataclass of the whole configuration.
        own_folder: Whether folders of the user's own YAML were given, or no such option exists.
        in_python: Whether the user has to correct an argument in Python and not a command line.
    """
    if getattr(error, "missing_cfg_file", None):
        return " ".join(_no_such_choice(error, own_folder, in_python).split())
    return " ".join(_sentence_about(error, schema).split())


def _sentence_about(error: Exception, schema: type) -> str:
    cause = error.__cause__ if hasattr(error.__cause__, "full_key") else error
    text = f"{error}\n{cause}"
    full_key = getattr(cause, "full_key", None) or _found(r"full_key: (\S+)", text)
    if missing := _found(r"andatory value: ([^\s']+)", text):
        name = missing.rpartition(".")[2]
        key = full_key if full_key.endswith(name) else missing
        whose = f"the {key.partition('.')[0]}'s YAML" if "." in key else "the YAML"
        if key.count(".") > 1:  # deeper keys are not in the schema, so leaving them out is no remedy
            return f"{key}: it is still ???; complete the line `{name}: ???` in {whose}"
        return f"{key}: it is missing, or still ???; {whose} needs a line `{name}: ...`"
    if (sentence := _about_interpolation(full_key, type(cause).__name__, text)) is not None:
        return sentence
    where = _found(r"^In '([^']+)': \w+ raised while composing", text)
    file = f"{where}.yaml: " if where else ""
    if key := _found(r"Key '(.+?)' (?:not in|is not in)", text):
        if where and key in ("_group_", "_name_"):
            return (
                f"{file}its line `# @package {full_key}` is of Hydra 1.0, where {key} stood for a name; remove the line"
            )
        parent = full_key.removesuffix(key).rstrip(".")
        given = _found(r"To append to your config use \+(.*)", text) or full_key
        return file + _unknown_key(given, parent, key, schema, getattr(cause, "parent_node", None))
    kind = _declared(schema, full_key)
    if kind is not None and (where or type(cause).__name__ == "ValidationError"):
        value: Any = getattr(cause, "value", None)
        value = value._value() if hasattr(value, "_value") else value  # an OmegaConf node
        value = _found(r"[Vv]alue '(.*?)'", text) if value is None and "not Optional" not in text else value
        return f"{file}{full_key}={'null' if value is None else str(value)[:200]}: {_wanted(kind, full_key, value)}"
    return _message_as_sentence(error)


def _about_interpolation(full_key: str, kind: str, text: str) -> str | None:
    """Return the error message about a `${...}` that cannot be resolved; None if the error is another."""
    if variable := _found(r"Environment variable '(.+?)' not found", text):
        return (
            f"{full_key}: the environment variable {variable} is not set; set it, or name what to take without it: "
            f"${{oc.env:{variable},null}}"
        )
    if name := _found(r"Interpolation key '(.+?)' not found", text):
        what = f"${{{name}}} stands for a key of the configuration, and there is no key {name}"
    elif name := _found(r"Unsupported interpolation type (\S+)", text):
        what = f"${{{name}:...}} stands for something that nobody has defined"
    elif kind == "GrammarParseError":
        what = "there is a ${ in it that begins no key of the configuration"
    else:
        return None
    variable = name if name in os.environ else "NAME"
    return (
        f"{full_key}: {what}; write \\${{...}} for what a program shall see as it is, ${{oc.env:{variable}}} for a variable "
        f"of the environment, or a key in full, such as ${{benchmark.name}}"
    )


def not_plain(full_key: str, kind: str) -> str:
    """Return the error message about a Python object in a configuration, which can hold only plain values."""
    wanted = "write a text, a number, a list or a mapping"
    if full_key in ("benchmark.script", "benchmark.command"):
        wanted = "save what it does as a script, and write its path, such as train.py"
    return f"{full_key}: an object of type {kind} cannot stand in a configuration, which is stored; {wanted}"


def emptied(full_key: str, value: Any, before: Any) -> str | None:
    """Return the error message about an empty mapping that would be merged into a non-empty one; None for other values."""
    names = [str(name) for name in before] if isinstance(before, Mapping) else []
    if not names or not isinstance(value, Mapping) or value:
        return None
    return (
        f"{full_key}={{}}: an empty mapping is merged with what is there, and would leave {', '.join(names)} as before; "
        f"remove single keys, as with '~{full_key}.{names[0]}' on a command line, or write a YAML without them"
    )


def unknown_key(full_key: str, known: Sequence[str]) -> str:
    """Return the error message about an unknown configuration key."""
    parent, _, key = full_key.rpartition(".")
    return f"{full_key}: there is no such key" + did_you_mean(
        key, known, f"; {parent} has {', '.join(known)}" if parent else _ALL_KEYS
    )


def _no_such_choice(error: Exception, own_folder: bool, in_python: bool) -> str:
    missing = str(getattr(error, "missing_cfg_file", ""))
    # Hydra's own groups have a slash in their names; in a choice of hpo's groups a slash belongs to a path.
    group, _, name = missing.rpartition("/") if missing.startswith("hydra/") else missing.partition("/")
    options = [str(option) for option in getattr(error, "options", None) or ()]
    where = _found(r"^In '([^']+)'", str(error))
    file = f"{where}.yaml: " if where not in ("", "config") else ""
    text = f"{file}{group}={repr(name) if in_python else name}: there is no such {group or 'file'}"
    if (found := _in_folders(group, name, in_python)) is not None:
        return f"{text}, but {found}"
    text += choose(name, options)
    alike = name.casefold() in [option.casefold() for option in options]
    if not own_folder and not alike:
        article = "an" if group.startswith("e") else "a"
        option = "config_dir=FOLDER" if in_python else "--config-dir FOLDER"
        text += f" ({article} {group} of your own needs {option}, the folder that has {group}/ in it)"
    return text


def _in_folders(group: str, name: str, in_python: bool) -> str | None:
    """Return what to pass if a choice that Hydra cannot find is a file in a nearby folder or at that path; else None."""

    def passing(folder: str, name: str) -> str:
        return (
            f"pass {name!r}, and config_dir={folder!r}" if in_python else f"pass --config-dir {folder} {group}={name}"
        )

    stem = name.removesuffix(".yaml")
    parent, last = os.path.split(stem)
    folder, its_group = os.path.split(parent)
    if its_group == group and os.path.isfile(f"{stem}.yaml"):  # noqa: PTH113  pathlib is not loaded here
        return f"a choice is a name, not a path: {passing(folder or '.', last)}"
    for folder in ("conf", "."):
        if group and not parent and os.path.isfile(f"{folder}/{group}/{stem}.yaml"):  # noqa: PTH113
            return f"{folder}/{group}/{stem}.yaml is one: {passing(folder, stem)}"
    if group and os.path.isfile(f"{stem}.yaml"):  # noqa: PTH113
        return f"{stem}.yaml is a file: move it to conf/{group}/{last}.yaml, and {passing('conf', last)}"
    return None


def _unknown_key(given: str, parent: str, key: str, schema: type, node: Any) -> str:
    kind = schema if not parent else _declared(schema, parent)
    full = f"{parent}.{key}" if parent else key
    about = f"{given}: there is no key {full}" if given != full else f"{full}: there is no such key"
    if dataclasses.is_dataclass(kind):
        known = [field.name for field in dataclasses.fields(kind)]
        for name, part in typing.get_type_hints(kind).items() if not parent else ():
            if dataclasses.is_dataclass(part) and key in [field.name for field in dataclasses.fields(part)]:
                return f"{about}; did you mean {name}.{key}?"
        return about + did_you_mean(key, known, f"; {parent} has {', '.join(known)}" if parent else _ALL_KEYS)
    try:
        known = [str(name) for name in node if not str(name).startswith("_")]
    except TypeError:
        known = []
    name, _, value = given.removeprefix(f"{parent}.").partition("=")
    if name in known:
        return f"{given}: a name with a dot stands in braces; write '{parent}={{{name}: {value}}}'"
    return about + did_you_mean(key, known, f" in its YAML; to add it, write +{given}")


def _declared(schema: Any, full_key: str) -> Any:
    """Return the type that a schema declares for a key; None if it declares none."""
    kind = schema
    for name in re.sub(r"\[.*", "", full_key).split("."):
        if not dataclasses.is_dataclass(kind):
            return None
        kind = typing.get_type_hints(kind).get(name)
    return kind


def _wanted(kind: Any, full_key: str, value: Any) -> str:
    """Return the end of an error message: what to write instead of a value of the wrong type."""
    parts = [part for part in typing.get_args(kind) if part is not type(None)]
    optional = len(parts) < len(typing.get_args(kind)) and isinstance(kind, types.UnionType)
    if optional:
        kind = parts[0]
    if value is None and optional:
        return "use another value"
    wanted = _instead(kind, full_key, value)
    return f"it cannot be null: leave it out; otherwise {wanted}" if value is None else wanted


def _instead(kind: Any, full_key: str, value: Any) -> str:
    key = re.sub(r"\[.*", "", full_key)
    if typing.get_origin(kind) is list:
        return _wanted_list(typing.get_args(kind)[0], key, value, inside=key != full_key)
    if kind is int:
        if key == "max_failures" and value is None:
            return f"use a whole number, such as {key}=1000000 for no limit"
        whole = _whole(value)
        return f"use a whole number, such as {key}={4 if whole is None else whole}"
    if kind is float:
        if re.search("time|seconds", key):
            return f"use a number of seconds, such as {key}={_seconds(value)}"
        return f"use a number, such as {key}=0.5"
    if kind is bool:
        return "use true or false"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return f"use {' or '.join(accepted_names(kind))}"
    if key == "benchmark.script":
        return "it is the path of a file that is run for each trial, such as train.py"
    if typing.get_origin(kind) is dict or dataclasses.is_dataclass(kind):
        return f"use a mapping, such as '{key}={{name: value}}'"
    return "use one text"


def _wanted_list(kind: Any, key: str, value: Any, *, inside: bool) -> str:
    sort, example = ("whole numbers", "0,1") if kind is int else ("texts", "a,b")
    if kind is dict or typing.get_origin(kind) is dict:
        sort, example = "mappings", "{name: value}"
    elif not inside and isinstance(value, str):
        try:
            words = shlex.split(value)
        except ValueError:
            words = []
        if words and (kind is str or all(word.isdecimal() for word in words)):
            example = ",".join(words)
    elif not inside and isinstance(value, int) and not isinstance(value, bool):
        example = str(value)
    return f"it is a list of {sort}; write '{key}=[{example}]'"


def _whole(value: Any) -> int | None:
    try:
        number = float(value)
        return int(number) if number == int(number) else None
    except (ValueError, TypeError, OverflowError):
        return None


def _seconds(value: Any) -> int:
    found = re.fullmatch(r"(\d{1,6}) *([a-z]+)", str(value).strip().lower())
    return int(found[1]) * _SECONDS.get(found[2], 3600) if found else 3600


def _message_as_sentence(error: Exception) -> str:
    """Return a multi-line message as one line, without the lines that concern only Hydra."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    noise = ("reference_type", "object_type", "Config search path", "set in", "provider=", "See https://")
    keep = [line for line in lines if not line.startswith(noise)]
    cause = error.__cause__
    if isinstance(cause, Exception) and type(cause).__module__.partition(".")[0] in ("hydra", "omegaconf"):
        keep += [line for line in _message_as_sentence(cause).split(" | ") if line not in keep]
    return " | ".join(keep) or type(error).__name__


_PLAIN = re.compile(r"[\w+.$%*@?|:/\\ -]*", re.ASCII)
"""A value that Hydra's grammar takes without quotes."""


def unreadable(override: str, message: str) -> str:
    """Return the error message about an override that does not follow Hydra's grammar."""
    key, equals, value = override.partition("=")
    if equals and re.fullmatch(r"[\w.+~@/-]+", key) and (quoted := _quoted(value)) is not None:
        parts = value.strip("[]").split(",") if value.startswith("[") else [value]
        odd = next(part.strip() for part in parts if not _PLAIN.fullmatch(part))
        return f"{override}: {odd!r} needs quotes that the shell leaves: write '{key}={quoted}'"
    lines = message.splitlines()
    why = lines[1] if len(lines) > 1 and lines[0].startswith("Error parsing") else lines[0] if lines else ""
    return f"{override}: is not an override of the form key=value ({why})"


def _quoted(value: str) -> str | None:
    """A text, or a list of texts, with quotes where the grammar needs them; None if that is not what is wrong."""
    if re.search(r"['\"]", value) or _PLAIN.fullmatch(value) or value.startswith("{"):
        return None
    if not value.startswith("["):
        return None if re.search("[(),]", value) else f'"{value}"'  # range(1,5 is a sweep
    if not value.endswith("]") or re.search(r"[\[\]]", value[1:-1]):
        return None
    parts = [part.strip() for part in value[1:-1].split(",")]
    words = (part if _PLAIN.fullmatch(part) else f'"{part}"' for part in parts)
    return f"[{','.join(words)}]"


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    return match[1].strip() if match else ""
