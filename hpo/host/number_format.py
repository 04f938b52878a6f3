"""Numbers as programs print them: as in Python, C, Fortran and awk. Standard library only."""

import re
from typing import Any

_NAN = re.compile(r"[-+]?(nan\(\w*\)|1\.#(?!inf)\w+)", re.ASCII | re.IGNORECASE)
_INFINITY = re.compile(r"1\.#inf0*", re.IGNORECASE)
_SPELLED = re.compile(r"[-+]?(nan|inf(inity)?|((0|[1-9]\d*)(\.\d*)?|\.\d+)([ed][-+]?\d+)?)", re.ASCII | re.IGNORECASE)
"""Pattern of numbers as C, Fortran or awk print them; Python can read them but for Fortran's exponent."""


def spelled(text: str) -> float | None:
    """Parse a bare number such as `-nan`, `+Infinity`, `1.#QNAN`, `.5` or `1.0D-03`; None if it is not one."""
    text = _INFINITY.sub("inf", _NAN.sub("nan", text))
    return float(re.sub("[dD]", "e", text)) if _SPELLED.fullmatch(text) else None


def value_of(text: str) -> Any:
    """Parse a value in a program's output: a number if it is one, else the text."""
    text = text.strip()
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    number = spelled(text)
    return text if number is None else number
