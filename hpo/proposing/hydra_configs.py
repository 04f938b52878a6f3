"""Configurations of Hydra apps, read from their YAML files or dataclasses."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpo.config.choices import ArgumentStyle
from hpo.config.yaml_files import read_plain
from hpo.proposing.arguments import Argument, Interface, Unread
from hpo.proposing.signatures import fields_of
from hpo.proposing.source import Source


def read_hydra(sources: Sequence[Source]) -> Interface | None:
    """Return the keys of the configuration that `@hydra.main` names; None if the script is no Hydra app."""
    source = sources[0]
    marks = (d for f in source.functions.values() for d in f.decorator_list if isinstance(d, ast.Call))
    mark = next((mark for mark in marks if source.full_name(mark.func) == "hydra.main"), None)
    if mark is None:
        return None
    given = source.keywords(mark)
    words = [source.value(word) for word in mark.args]
    folder = source.value(given.get("config_path")) or (words[0] if words else None)
    name = source.value(given.get("config_name")) or (words[1] if len(words) > 1 else "config")
    interface = Interface("hydra", style=ArgumentStyle.overrides)
    stored = {
        str(source.value(keywords.get("name"))): (one, ast.unparse(keywords["node"]))
        for one in sources
        for call in one.calls
        if ast.unparse(call.func).endswith(".store") and "node" in (keywords := one.keywords(call))
    }
    nodes = {
        n: (one, cls.partition("(")[0]) for n, (one, cls) in stored.items() if cls.partition("(")[0] in one.classes
    }
    base = source.path.parent / str(folder or ".")
    file = base / f"{str(name).removesuffix('.yaml')}.yaml"
    if file.is_file():
        interface.arguments = list(_of_file(file, base, interface.notes))
    elif name in nodes:
        one, cls = nodes[name]
        interface.arguments = fields_of(one, cls)
        made = (a for a in interface.arguments if isinstance(a.default, Unread) and re.match(r"[A-Z]\w*\(", a.default))
        interface.notes += [f"Not seen: what {argument.name} takes, as {argument.name}.NAME." for argument in made]
    else:
        interface.unread = 1
    return interface


def _of_file(file: Path, root: Path, notes: list[str]) -> Iterator[Argument]:
    """Yield the keys of a file and of the files in its defaults list, by dotted names."""
    content = read_plain(file) or {}
    found: dict[str, Argument] = {}
    for entry in content.get("defaults", []) if isinstance(content, dict) else []:
        key, options = next(iter(entry.items())) if isinstance(entry, dict) else ("", entry)
        group, _, package = str(key).removeprefix("override ").removeprefix("optional ").partition("@")
        for option in options if isinstance(options, list) else [options]:
            if option in ("_self_", None) or group.strip("/").partition("/")[0] == "hydra":
                continue
            part = (root if group.startswith("/") else file.parent) / group.strip("/") / f"{option}.yaml"
            if not part.is_file():
                notes.append(f"Not seen: {group}={option}." if group else f"Not seen: {option}.")
                continue
            header = re.match(r"#\s*@package\s+(\S+)", part.read_text())
            prefix = (header[1] if header else package or group).strip("/").replace("/", ".").removeprefix("_global_")
            for argument in _of_file(part, root, notes):
                name = f"{prefix}.{argument.name}" if prefix else argument.name
                found[name] = replace(argument, name=name)
    found |= {argument.name: argument for argument in leaves_of(content, "", file, file.read_text().splitlines())}
    yield from found.values()


def leaves_of(content: Mapping[str, Any], prefix: str, file: Path, lines: Sequence[str]) -> Iterator[Argument]:
    """Yield the scalars and lists of a mapping as arguments, by dotted names.

    Args:
        content: The mapping.
        prefix: Prefix of the dotted names.
        file: The file that it was read from.
        lines: The lines of that file, in which keys are looked up.
    """
    for key, value in content.items():
        if (prefix == "" and key in ("defaults", "hydra")) or re.fullmatch("_[a-z]+_", str(key)):
            continue
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from leaves_of(value, f"{name}.", file, lines)
            continue
        kind = {bool: "word", int: "int", float: "float", str: "text", type(None): "text"}.get(type(value), "other")
        line = next((n for n, text in enumerate(lines, 1) if text.strip().startswith(f"{key}:")), None)
        where = f"{file.name} line {line}" if line else file.name
        if value == "???":
            yield Argument(name, required=True, where=where)
        else:
            default = Unread(value) if isinstance(value, str) and "${" in value else value
            yield Argument(name, kind, default, where=where)
