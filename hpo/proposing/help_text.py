"""Arguments read from what a program prints about itself: its help text, or a usage line."""

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpo.errors import ConfigError
from hpo.proposing.argument_roles import is_of_the_machine, resource_of
from hpo.proposing.arguments import Argument
from hpo.proposing.domains import is_known_name

_LONGEST_NAME = 4
"""Number of words up to which a help text can be a name."""

SECONDS = 20
"""Seconds that a program may take to print its help."""

_OPTION = re.compile(r"^\s{0,12}(-{1,2}[A-Za-z][^\n]*)$")
_BARE = re.compile(r"-(\w+) ([a-z]\w*)\s*: (.*)")
"""Option with a bare word for its value: `-c cost : the cost of an error (default 1)`."""
_USAGE = re.compile(r"^\s*usage:\s+\S+\s+\[options\]([^\n]*)", re.IGNORECASE | re.MULTILINE)
_SPELLING = re.compile(r"(?<![\w-])(--?[A-Za-z][\w.-]*)(?:[ =]?(\[?[={<]?[A-Z][\w|-]*[\]>]?|<[^>]+>|\{[^}]+\}))?")
_DEFAULT = re.compile(r"default(?:s to|\s+is)?\s*[:=]?\s*['\"]?([^\s\])'\";,]+)", re.IGNORECASE)
_WHOLE = {"INT", "INTEGER", "N", "NUM"}
_NUMBERS = {"FLOAT", "DOUBLE", "NUMBER", "NUMERIC", "REAL"}


def ask_for_help(command: Sequence[str], option: str | None = "--help") -> str:
    """Run a program with `--help` in an empty folder, and return what it prints on standard output and standard error.

    Args:
        command: the program and the words before its arguments.
        option: None to run it without any argument, for which many programs print how they are used.

    Raises:
        ConfigError: it cannot be run, or does not end.
    """
    words = [*command, *([option] if option is not None else [])]
    shown = " ".join([Path(words[0]).name, *words[1:]])
    with tempfile.TemporaryDirectory() as folder:
        try:
            process = subprocess.Popen(
                words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                errors="replace", start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise ConfigError(f"{shown}: cannot be run ({error.strerror}); write the benchmark by hand") from error
        try:
            text, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise ConfigError(
                f"{shown}: did not end within {SECONDS} s, so that its arguments are not known; write the benchmark by hand"
            ) from None
    return text


def read_help(text: str) -> list[Argument]:
    """Return the options in a help text, in order, as argparse, click, optparse, getopt and similar parsers print them."""
    found: list[Argument] = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if (match := _OPTION.match(line)) is None:
            continue
        if (bare := _BARE.fullmatch(match[1].strip())) is not None:
            found.append(_of_letter(*bare.groups()))
            continue
        head, _, told = match[1].partition("  ")
        if "\t" in head:
            head, _, told = match[1].partition("\t")
        depth = len(line) - len(line.lstrip())
        for more in lines[number + 1 :]:
            if (
                not more.strip()
                or len(more.expandtabs()) - len(more.expandtabs().lstrip()) <= depth
                or _OPTION.match(more)
            ):
                break
            told += f" {more.strip()}"
        argument = _argument(head, " ".join(told.split()))
        if argument is not None:
            found.append(argument)
    return found


def words_behind(text: str) -> list[str]:
    """Return the words that have to follow the options by the usage line, as in `[options] training_file [model_file]`."""
    usage = _USAGE.search(text)
    return [] if usage is None else [w for w in usage[1].split() if re.fullmatch(r"<?\w[\w.-]*>?", w)]


def _of_letter(letter: str, name: str, told: str) -> Argument:
    """Return an option named after its value (cost), because its letter says little."""
    kind, value = _number(next(iter(_DEFAULT.findall(told)), None))
    kind = "number" if kind == "int" else kind
    return Argument(name, kind, value, spelling=f"-{letter}", where="of its --help", help=told)


def _argument(head: str, told: str) -> Argument | None:
    spellings = _SPELLING.findall(head)
    names = [name for name, _ in spellings]
    valued = any(word for _, word in spellings)
    if not names or {"--help", "--version"} & set(names) or ("-h" in names and not valued):
        return None
    option = next((name for name in names if name.startswith("--")), names[0])
    metavar = next((word for _, word in spellings if word), "").strip("[]<>=")
    default = next(iter(_DEFAULT.findall(told)), None)
    default = None if default in ("None", "NULL", "NA") else default
    where = "of its --help"
    if metavar.startswith("{"):
        choices = [word.strip() for word in metavar.strip("{}").split(",")]
        return Argument(option.lstrip("-"), "text", default, choices, where=where, help=told)
    if not metavar:
        pair = next((name for name in names if name.startswith("--no")), None) if len(names) > 1 else None
        both = f"{option}/{pair}" if pair is not None and pair != option else None
        return Argument(option.lstrip("-"), "bool", False, spelling=both, where=where, help=told)
    kind, value = _number(default)
    if metavar.upper() in _WHOLE | _NUMBERS and kind == "text":
        kind = "int" if metavar.upper() in _WHOLE else "float"
    if option.startswith("--"):
        return Argument(option.lstrip("-"), kind, value, where=where, help=told)
    return Argument(_name_of_letter(option, metavar, told), kind, value, spelling=option, where=where, help=told)


def _name_of_letter(option: str, metavar: str, told: str) -> str:
    """Return a name for an option such as `-l <rate>  learning rate`: its help or its value if known, else the letter."""
    words = re.split(r"[(,:;.]", re.sub(r"^(the|set|number of|num)\s+", "", told.lower()))[0].split()
    told_name = "_".join(words) if len(words) <= _LONGEST_NAME else ""
    known = (name for name in (told_name, metavar.lower()) if is_known_name(name))
    return next(known, option.lstrip("-"))


def _number(text: str | None) -> tuple[str, object]:
    """Return the kind and the value of a default that is given as text."""
    text = text.rstrip(".") if text is not None else None
    for kind, convert in (("int", int), ("float", float)):
        try:
            return kind, convert(text or "")
        except ValueError:
            pass
    return "text", text


_USAGE_LINE = re.compile(r"\busage\s*:?\s+(\S+)[ \t]+([^\n]+)", re.IGNORECASE)
_WORD = re.compile(r"(\[?)<?([A-Za-z][\w-]*)(?:=([^\s\]>]+))?>?(\]?)")
_EXPLAINED = r"^[ \t]+\[?<?{name}>?\]?[ \t]*(?:[:=-]|[ \t])[ \t]*(\S[^\n]*)"
_STATED_DEFAULT = re.compile(r"default(?:s to|\s+is)?\s*[:=]?\s*([-+.\w]+)", re.IGNORECASE)


def has_usage(text: str) -> bool:
    """Whether a text has a usage line with words behind the program's name."""
    return _USAGE_LINE.search(text) is not None


def read_usage(text: str) -> list[Argument]:
    """Return the arguments that a usage line names, each with its place; none if it has anything but plain words."""
    usage = _USAGE_LINE.search(text)
    words = usage[2].split() if usage is not None else []
    matches = [match for word in words if (match := _WORD.fullmatch(word)) is not None]
    if usage is None or len(matches) < len(words):
        return []
    where = f"its usage line: {' '.join(usage[0].split()[1:])}"
    found = []
    for place, match in enumerate(matches, 1):
        name = match[2]
        told = re.search(_EXPLAINED.format(name=re.escape(name)), text[usage.end() :], re.MULTILINE)
        help_text = told[1].strip() if told is not None else ""
        stated = match[3] or next(iter(_STATED_DEFAULT.findall(help_text)), None)
        argument = Argument(name.lower() if name.isupper() else name, spelling=str(place), where=where, help=help_text)
        found.append(_with_kind(argument, stated))
    return found


def _with_kind(argument: Argument, stated: str | None) -> Argument:
    """Return an argument with its kind: that of its default, else a number unless it is named like a file or a machine."""
    for convert in (int, float):
        try:
            value = convert(stated or "")
        except ValueError:
            continue
        # 1 may be the default of a fraction.
        return replace(argument, kind="number" if convert is int else "float", default=value)
    if stated is not None or is_of_the_machine(argument):
        return replace(argument, default=stated, required=stated is None)
    counts = resource_of([argument]) is not None
    return replace(argument, kind="int" if counts else "number", required=True)
