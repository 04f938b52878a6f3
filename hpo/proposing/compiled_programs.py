"""Options in the help text that a compiled program contains."""

import re
from dataclasses import replace
from pathlib import Path

from hpo.proposing.arguments import Argument
from hpo.proposing.help_text import read_help

_SHOWS_OPTIONS = re.compile(r"usage\s*:|options\s*:", re.IGNORECASE).search


def is_compiled(script: Path) -> bool:
    """Whether a program is a binary. Binaries hold back what they print unless they print to a terminal."""
    with script.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def options_in_text(script: Path) -> list[Argument]:
    """Return the options in the help text that a compiled program contains; empty for other programs."""
    lines = [line for line in _strings(script) if " " in line.strip()] if is_compiled(script) else []
    found = read_help("\n".join(lines)) if any(map(_SHOWS_OPTIONS, lines)) else []
    return [replace(argument, where="in its text") for argument in found]


def _strings(script: Path) -> list[str]:
    """Return the lines of text in a compiled program."""
    return [run.decode() for run in re.findall(rb"[\t\x20-\x7e]{4,}", script.read_bytes())]
