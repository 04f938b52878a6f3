"""Numbers as programs print them: as Python writes them, and as C, Fortran and awk do. Standard library only."""

import re
from typing import Any

_NAN = re.compile(r"[-+]?(nan\(\w*\)|1\.#(?!inf)\w+)", re.ASCII | re.IGNORECASE)
_INFINITY = re.compile(r"1\.#inf0*", re.IGNORECASE)
_SPELLED = re.compile(r"[-+]?(nan|inf(inity)?|((0|[1-9]\d*)(\.\d*)?|\.\d+)([ed][-+]?\d+)?)", re.ASCII | re.IGNORECASE)
"""A number as C, Fortran or awk print it, in words of Python but for Fortran's exponent."""


def spelled(text: str) -> float | None:
    """The number that a bare word such as `-nan`, `+Infinity`, `1.#QNAN`, `.5` or `1.0D-03` says; None where it says none."""
    text = _INFINITY.sub("inf", _NAN.sub("nan", text))
    return float(re.sub("[dD]", "e", text)) if _SPELLED.fullmatch(text) else None


def value_of(text: str) -> Any:
    """What stands in a program's output: a number where it is one, else the text."""
    text = text.strip()
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    number = spelled(text)
    return text if number is None else number
