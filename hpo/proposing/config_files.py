"""Configuration files that a program is given by an argument such as `--config base.yaml`, and their keys as arguments."""

import ast
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpo.config.choices import ArgumentStyle
from hpo.config.templates import FORMATS, Template
from hpo.errors import ConfigError
from hpo.proposing.argument_roles import plain_name
from hpo.proposing.arguments import Argument, Interface, Unread
from hpo.proposing.hydra_configs import leaves_of
from hpo.proposing.launch_lines import LaunchLine
from hpo.proposing.source import Source

_PARSERS = ("argparse", "click", "typer", "absl.flags", "fire", "sys.argv", "docopt")
"""Parsers that pass a file's name through as it is."""
_NAME = re.compile(
    r"(?:\w+_)?(config|cfg|conf|hparams|params|settings|opt)(_?(file|path|filename|yaml|yml|json|toml))?|(yaml|yml|json|toml)(_?(file|path|config))?"
)
_LOADER = re.compile(
    r"(.*\.)?((yaml|json|toml|tomllib|tomli)\.(safe_|full_|unsafe_)?load(s|_all)?|OmegaConf\.load|YAML\(.*\)\.load)"
)
_OPTIONS_WIN = re.compile(r"update\(vars\(|\*\*vars\(")
"""Source of a program that writes its options over the file's values, so that an option's default hides a key of the file."""


def with_config_file(
    interface: Interface, sources: Sequence[Source], *, lines: Sequence[LaunchLine] = (), given: Path | None = None
) -> Interface:
    """Return what a program takes, with the keys of its configuration file in place of the argument that names the file.

    Each trial gets a copy of the file, in which its values are set.

    Args:
        interface: The program's arguments.
        sources: The files of a Python script; none for other programs.
        lines: Lines that start the program, which may name a file.
        given: The file, if the user names one.

    Raises:
        ConfigError: The user names a file that cannot be read, or the program takes none.
    """
    loaded = [(one, call) for one in sources for call in one.calls if _LOADER.fullmatch(one.full_name(call.func))]
    if given is None and (not loaded or interface.parser not in _PARSERS):
        return interface
    option = next(
        (one for one in interface.arguments if _NAME.fullmatch(plain_name(one)) and one.kind in ("text", "other")), None
    )
    if option is None:
        if given is not None:
            raise ConfigError(
                f"--config {given}: the program has no argument that names such a file, as --config or a first word; add one"
            )
        fixed = next((name for one, call in loaded if (name := _fixed_name(one, call)) is not None), None)
        if fixed is not None:
            told = f"{fixed} is read and no argument names another file: what is in it cannot be tuned before there is one."
            interface.notes.append(told)
        return interface
    file, where = _file_of(option, sources, lines, given)
    if file is None:
        shown = "its first word" if option.spelling else f"--{option.name}"
        interface.notes.append(f"It reads a file that {shown} names; its keys are proposed by hpo init --config FILE.")
        return interface
    return _with_keys(interface, option, file, where, " ".join(ast.unparse(source.tree) for source in sources))


def _fixed_name(source: Source, call: ast.Call) -> str | None:
    """Return the name of the file that a call loads, if the source has it: `yaml.safe_load(open("config.yaml"))`."""
    texts = (source.value(node) for node in ast.walk(call) if isinstance(node, ast.Constant | ast.Name))
    return next((text for text in texts if type(text) is str and Path(text).suffix in FORMATS), None)


def _file_of(
    option: Argument, sources: Sequence[Source], lines: Sequence[LaunchLine], given: Path | None
) -> tuple[Path | None, str]:
    """Return the configuration file and what names it: the user, the option's default, or a line that starts the program."""
    named: list[tuple[Any, str]] = [(given, "as given to hpo init")] if given is not None else []
    named += [(option.default, f"default in {option.where}")]
    named += [(line.arguments[option.name], f"as in {line.where}") for line in lines if option.name in line.arguments]
    folders = [Path(), *(source.path.parent for source in sources[:1])]
    for name, where in named:
        if name is None or isinstance(name, Unread) or Path(str(name)).suffix not in FORMATS:
            if name is given and given is not None:
                raise ConfigError(f"--config {given}: its name must end in {', '.join(sorted(FORMATS))}")
            continue
        for folder in folders:
            if (folder / str(name)).is_file():
                return folder / str(name), where
        if name is given:
            raise ConfigError(f"--config {given}: there is no such file; name the file that the program reads")
    return None, ""


def _with_keys(interface: Interface, option: Argument, file: Path, where: str, text: str) -> Interface:
    Template.read(file)  # is what hpo sets values in
    keys = list(_keys(file))
    options = [replace(one, spelling=one.spelling or f"--{one.name}") for one in interface.arguments if one != option]
    hidden = {plain_name(one) for one in options if one.default is not None} if _OPTIONS_WIN.search(text) else set()
    keys = [key for key in keys if plain_name(key) not in hidden]
    known = {plain_name(key) for key in keys}
    itself = replace(option, given="{config_file}", spelling=option.spelling or f"--{option.name}", required=False)
    itself = replace(itself, where="each trial's copy of the file")
    arguments = [itself, *keys, *(one for one in options if plain_name(one) not in known)]
    return replace(interface, arguments=arguments, style=ArgumentStyle.file, config_file=str(file), config_origin=where)


def _keys(file: Path) -> Iterator[Argument]:
    """Yield the scalars of a file as arguments, by dotted names. A text such as 1e-3, as PyYAML reads it, is a number."""
    text = file.read_text()
    content = tomllib.loads(text) if file.suffix == ".toml" else Template.read(file).content
    for key in leaves_of(content, "", file, text.splitlines()):
        argument = replace(key, kind="bool") if key.kind == "word" else key
        if argument.kind == "text" and re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+", str(argument.default)):
            argument = replace(argument, kind="float", default=float(argument.default))
        yield argument
