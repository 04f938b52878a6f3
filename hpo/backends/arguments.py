"""How a trial's values are written for its program: as words of a command line, environment variables, or a file.

Each value is written in the benchmark's `argument_style` under its own name, or as its `argument` says:

    optimizer.lr      another name, in the style of the benchmark
    -l, --rate        an option as it stands
    --amp/--no-amp    two options, for true and false
    $LR               an environment variable
    1                 the first word that is no option
    layers=           a word of which the value is the rest, as it stands and in no style
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hpo.config.choices import ARGUMENTS, ArgumentStyle
from hpo.config.yaml_files import override_text
from hpo.errors import ConfigError

PLACES = ("trial_seed", "checkpoint_dir", "trial_id", "config_file")
"""Words that stand for something of the trial in `arguments` and `command`, in braces."""
CONFIG_FILE = "{config_file}"
_PLACE = re.compile(r"\{(" + "|".join(PLACES) + r")\}")


def fill(value: Any, places: Mapping[str, str]) -> Any:
    """A constant with what stands for the trial put in, inside lists and mappings too. Other braces stay."""
    if isinstance(value, str):
        return _PLACE.sub(lambda match: places[match[1]], value)
    if isinstance(value, Mapping):
        return {name: fill(item, places) for name, item in value.items()}
    return [fill(item, places) for item in value] if isinstance(value, list) else value


def as_text(value: Any) -> str:
    """A value as it stands on a command line: strings as they are, floats so that they read back equal."""
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


@dataclass
class Written:
    """What a program is given."""

    options: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    placed: dict[int, str] = field(default_factory=dict)
    """Words that are no options, by their place from 1."""
    content: dict[str, Any] = field(default_factory=dict)
    """Of the configuration file, by dotted names."""

    @property
    def words(self) -> list[str]:
        """Those that are no options come first."""
        return [self.placed[place] for place in sorted(self.placed)] + self.options

    def called_by(self, command: list[str]) -> list[str]:
        """A whole command line."""
        place = command.index(ARGUMENTS) if ARGUMENTS in command else len(command)
        return [*command[:place], *self.words, *command[place + 1 :]]


def write(values: Mapping[str, Any], spelling: Mapping[str, str], style: ArgumentStyle) -> Written:
    """Write values for a program.

    Args:
        values: by their names in the configuration.
        spelling: the `argument` of those that are written otherwise than by their names.
        style: of the benchmark.

    Raises:
        ConfigError: a value cannot be written so.
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
