"""The spelling of a trial's values for its program: as words of a command line, environment variables, or a file.

Each value is written in the benchmark's `argument_style` under its own name, or as its `argument` says:

    optimizer.lr      another name, in the style of the benchmark
    -l, --rate        an option, written exactly so
    --amp/--no-amp    two options, for true and false
    $LR               an environment variable
    1                 the first positional argument
    layers=           a word whose rest is the value, unchanged and in no style
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hpo.config.choices import ARGUMENTS, ArgumentStyle
from hpo.config.yaml_files import override_text
from hpo.errors import ConfigError

PLACES = ("trial_seed", "checkpoint_dir", "trial_id", "config_file", "processes")
"""Placeholders for facts of the trial, written in braces in `arguments` and `command`; `processes` if the key is given."""
CONFIG_FILE = "{config_file}"
_PLACE = re.compile(r"\{(" + "|".join(PLACES) + r")\}")


def fill(value: Any, places: Mapping[str, str]) -> Any:
    """Return a constant with its placeholders replaced, also inside lists and mappings. Other braces stay."""
    if isinstance(value, str):
        return _PLACE.sub(lambda match: places.get(match[1], match[0]), value)
    if isinstance(value, Mapping):
        return {name: fill(item, places) for name, item in value.items()}
    return [fill(item, places) for item in value] if isinstance(value, list) else value


def as_text(value: Any) -> str:
    """Return a value as text for a command line: strings unchanged, floats so that they read back equal."""
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


@dataclass
class Written:
    """The arguments, environment variables and configuration file content that a program is given."""

    options: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    placed: dict[int, str] = field(default_factory=dict)
    """Positional arguments, by their position from 1."""
    content: dict[str, Any] = field(default_factory=dict)
    """Content of the configuration file, by dotted names."""

    @property
    def words(self) -> list[str]:
        """Return the words of the command line, positional arguments first."""
        return [self.placed[place] for place in sorted(self.placed)] + self.options

    def called_by(self, command: list[str]) -> list[str]:
        """Return the whole command line, which begins with `command`."""
        place = command.index(ARGUMENTS) if ARGUMENTS in command else len(command)
        return [*command[:place], *self.words, *command[place + 1 :]]


def write(values: Mapping[str, Any], spelling: Mapping[str, str], style: ArgumentStyle) -> Written:
    """Write values for a program.

    Args:
        values: Values by their names in the configuration.
        spelling: The `argument` of each value that is not written under its own name.
        style: Argument style of the benchmark.

    Raises:
        ConfigError: A value cannot be written in this way.
    """
    written = Written()
    for name, value in values.items():
        given = spelling.get(name, name)
        if given.endswith("="):
            written.options.append(f"{given}{as_text(value)}")
        elif given.startswith("-"):
            written.options += _option(name, given, value, style)
        elif given.startswith("$") or style == ArgumentStyle.environment:
            written.environment[given.removeprefix("$")] = as_text(value)
        elif given.isdecimal():
            written.placed[int(given)] = as_text(value)
        elif style == ArgumentStyle.positional:
            written.options.append(as_text(value))
        elif style == ArgumentStyle.assignments:
            written.options.append(f"{given}={as_text(value)}")
        elif style == ArgumentStyle.overrides:
            written.options.append(f"{given}={override_text(value)}")
        elif style == ArgumentStyle.file:
            written.content[given] = value
        else:
            written.options += _option(name, f"--{given}", value, style)
    return written


def _option(name: str, option: str, value: Any, style: ArgumentStyle) -> list[str]:
    yes, both, no = option.partition("/")
    if both:
        if not isinstance(value, bool):
            raise ConfigError(f"{name}={value!r}: its argument {option} can only say true or false")
        return [yes if value else no]
    if style == ArgumentStyle.switches and isinstance(value, bool):
        return [yes] if value else []
    if style == ArgumentStyle.separate or not yes.startswith("--"):
        return [yes, as_text(value)]
    return [f"{yes}={as_text(value)}"]
