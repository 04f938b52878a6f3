"""Parsing of the single entries of a search space in YAML: domains, constants, and names of program arguments."""

import math
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from hpo.errors import ConfigError
from hpo.space.domains import LINEAR, LOG, REVERSE_LOG, Choice, Domain, Float, Integer, Scale

MOST_STEPS = 1e15
"""Largest number of steps in an interval; double precision cannot distinguish more."""

_CALL = re.compile(r"[A-Za-z_][\w.]*\(.*\S.*\)", re.DOTALL)
"""Pattern for a name with arguments in parentheses, which is how other tools write a distribution."""


def check_constant(key: str, value: Any) -> None:
    """Raise ConfigError if a constant looks like another tool's notation for a domain: every trial would get it unchanged."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        kind, instead = "list", _example(None, {"values": value})
        if len(value) == 2 and all(type(end) in (int, float) and abs(end) <= _LARGEST["float"] for end in value):
            number = "int" if all(type(end) is int for end in value) else "float"
            instead = f"{{type: {number}, lower: {_short(min(value))}, upper: {_short(max(value))}}} or {instead}"
    elif isinstance(value, str) and _CALL.fullmatch(value.strip()):
        kind, instead = "text", f"{_example(None, {})} or {_example(None, {'values': [1, 2]})}"
    else:
        return
    raise ConfigError(
        f"{key}={_short(value)}: to tune it write {instead}; a constant {kind} like this belongs in benchmark.arguments"
    )


def _example(kind: Any, spec: Mapping[str, Any]) -> str:
    """Return a suggestion for an error message: a domain that the user may have meant by an entry without a valid type."""
    if values := next((v for v in spec.values() if isinstance(v, Sequence) and not isinstance(v, str) and v), None):
        return f"{{type: choice, values: {_short(values)}}}"
    whole = isinstance(kind, str) and "int" in kind
    return "{type: int, lower: 1, upper: 9}" if whole else "{type: float, lower: 1.0e-4, upper: 1.0, log: true}"


def _short(value: Any) -> str:
    """Format a value for an error message, with numbers in a notation that YAML reads as numbers."""
    text = repr(list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value)
    text = text if isinstance(value, str) else re.sub(r"(?<![\w.])(\d+)e", r"\1.0e", text)
    return text if len(text) <= 200 else text[:200] + " …"


def check_argument_name(key: str, argument: Any) -> str:
    """Return the program's name for a hyperparameter, checked; a number is the position of a positional argument."""
    text = str(argument)
    if isinstance(argument, bool) or not isinstance(argument, str | int) or not text.strip("-$/=") or text == "0":
        raise ConfigError(
            f"{key}={argument!r}: use a name, an option such as --rate, a variable such as $RATE, or a place from 1"
        )
    return text


_KEYS = {
    "float": {"lower", "upper", "log", "reverse_log", "step"},
    "int": {"lower", "upper", "log", "step"},
    "choice": {"values"},
    "ordinal": {"values"},
}


def parse_domain(key: str, spec: dict[str, Any]) -> Domain:
    """Parse the domain of one hyperparameter from its YAML entry.

    Raises:
        ConfigError: The entry is invalid; the message names the key, the value and the remedy.
    """
    spec = dict(spec)
    kind = spec.pop("type", None)
    if not isinstance(kind, str) or kind not in _KEYS:
        raise ConfigError(
            f"{key}.type={kind!r}: use one of {', '.join(_KEYS)}, as in {key.rpartition('.')[2]}: {_example(kind, spec)}"
        )
    for name in spec:
        if name not in _KEYS[kind]:
            raise ConfigError(f"{key}.{name}: a {kind} takes {', '.join(sorted(_KEYS[kind]))}")
    if kind in ("choice", "ordinal"):
        return _parse_choice(key, kind, spec)
    lower, upper = (_number(f"{key}.{end}", spec.get(end), kind) for end in ("lower", "upper"))
    if lower > upper:
        raise ConfigError(f"{key}: lower={lower} is above upper={upper}; exchange them")
    if (step := spec.get("step")) is not None:
        step = _number(f"{key}.step", step, kind)
        if step <= 0:
            raise ConfigError(f"{key}.step={step}: use a positive number")
        if upper - lower > MOST_STEPS * step:
            raise ConfigError(
                f"{key}.step={step}: there are more than {MOST_STEPS:.0e} in the interval; use a larger one"
            )
    scale = _parse_scale(key, kind, spec, lower, upper)
    if kind == "int":
        return Integer(int(lower), int(upper), scale, int(step or 1))
    return Float(float(lower), float(upper), scale, step)


def _parse_scale(key: str, kind: str, spec: dict[str, Any], lower: float, upper: float) -> Scale:
    for flag in ("log", "reverse_log"):
        if not isinstance(spec.get(flag, False), bool):
            raise ConfigError(f"{key}.{flag}={spec[flag]!r}: use true or false")
    if spec.get("log"):
        if spec.get("reverse_log"):
            raise ConfigError(f"{key}: log and reverse_log exclude each other; keep one")
        if lower <= 0 or (kind == "int" and lower - (spec.get("step") or 1) / 2 <= 0):
            raise ConfigError(f"{key}.lower={lower}: a log scale needs a lower bound above 0 (and above half a step)")
        return LOG
    if spec.get("reverse_log"):
        if not 0 <= lower <= upper < 1:
            raise ConfigError(f"{key}: reverse_log needs 0 <= lower <= upper < 1, not {lower} and {upper}")
        return REVERSE_LOG
    return LINEAR


_LARGEST = {"int": 2**53, "float": sys.float_info.max}
"""Largest magnitude of a number by type; larger integers would not pass unchanged through floating point."""


def _number(key: str, value: Any, kind: str) -> float:
    wanted = int if kind == "int" else int | float
    if isinstance(value, bool) or not isinstance(value, wanted) or not abs(value) <= _LARGEST[kind]:
        hint = " (YAML reads 1e-4 as text: write 1.0e-4)" if isinstance(value, str) else ""
        raise ConfigError(f"{key}={value!r}: a{'n' if kind == 'int' else ''} {kind} is needed{hint}")
    return value


def _parse_choice(key: str, kind: str, spec: dict[str, Any]) -> Choice:
    values = spec.get("values")
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise ConfigError(f"{key}.values={values!r}: a list with at least one value is needed")
    choice = Choice(tuple(values), ordered=kind == "ordinal")
    for index, value in enumerate(values):
        if isinstance(value, Mapping | list):
            raise ConfigError(f"{key}.values: {value!r} is not a plain value; use numbers, strings or booleans")
        if isinstance(value, float) and math.isnan(value):
            raise ConfigError(f"{key}.values: nan equals nothing, not even itself; use another value")
        if choice.index(value) != index:
            raise ConfigError(f"{key}.values: {value!r} is listed twice; remove one")
    return choice
