"""Positional arguments of a program that prints a usage line, such as `usage: anneal STEPS COOLING`, and no options."""

import re
from dataclasses import replace

from hpo.proposing.argument_roles import is_of_the_machine, resource_of
from hpo.proposing.arguments import Argument

_USAGE = re.compile(r"\busage\s*:?\s+(\S+)[ \t]+([^\n]+)", re.IGNORECASE)
_WORD = re.compile(r"(\[?)<?([A-Za-z][\w-]*)(?:=([^\s\]>]+))?>?(\]?)")
_EXPLAINED = r"^[ \t]+\[?<?{name}>?\]?[ \t]*(?:[:=-]|[ \t])[ \t]*(\S[^\n]*)"
_DEFAULT = re.compile(r"default(?:s to|\s+is)?\s*[:=]?\s*([-+.\w]+)", re.IGNORECASE)


def has_usage(text: str) -> bool:
    """Whether a text has a usage line with words behind the program's name."""
    return _USAGE.search(text) is not None


def read_usage(text: str) -> list[Argument]:
    """Return the arguments that a usage line names, each with its place; none if it has anything but plain words."""
    usage = _USAGE.search(text)
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
        stated = match[3] or next(iter(_DEFAULT.findall(help_text)), None)
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
