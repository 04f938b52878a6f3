"""What a swept override of Hydra's is in hpo's search space."""

import math
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
    Sweep,
    Transformer,
)
from hydra.errors import CompactHydraException


def name_of(override: Override) -> str:
    """The key of an override, without the sign that says whether it is there already."""
    return override.key_or_group if override.package is None else f"{override.key_or_group}@{override.package}"


def domain_of(override: Override) -> dict[str, Any]:
    """The domain as it stands in a benchmark's `config_space`.

    Raises:
        CompactHydraException: there is no value in it.
    """
    sweep, key = override.value(), override.get_key_element()
    spelling = {} if key == name_of(override) else {"argument": key}
    if isinstance(sweep, IntervalSweep):
        whole = isinstance(sweep.start, int) and isinstance(sweep.end, int)
        kind = "int" if whole else "float"
        return {"type": kind, "lower": sweep.start, "upper": sweep.end, **_scale(sweep), **spelling}
    if isinstance(sweep, RangeSweep):
        return {**_numbers(override, sweep), **_scale(sweep), **spelling}
    kind = "ordinal" if isinstance(sweep, ChoiceSweep) and "ordinal" in sweep.tags else "choice"
    values = [item.text if isinstance(item, QuotedString) else item for item in _items(override)]
    if all(map(is_plain, values)):
        return {"type": kind, "values": values, **spelling}
    return {"type": kind, "values": texts_of(override), "argument": f"{key}="}


def texts_of(override: Override) -> list[str]:
    """Values of the override as they stand on a command line: all of a choice, one of a range or an interval."""
    sweep = override.value()
    if isinstance(sweep, IntervalSweep):
        return [str(sweep.start)]
    if isinstance(sweep, RangeSweep):
        return [str(next(iter(sweep.range())))]
    return [str(Transformer.str(item)) for item in _items(override)]


def value_of(text: str) -> Any:
    """The value that a text of an override stands for."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_override(f"value={text}").value()


def _items(override: Override) -> Sequence[Any]:
    """The values of a choice, in the order in which they were given, be they shuffled or not."""
    sweep = override.value()
    items = sweep.list if isinstance(sweep, ChoiceSweep) else list(override.sweep_iterator())
    if not items:
        raise CompactHydraException(
            f"{override.input_line}: there is no value in this; write a,b,c, or another pattern"
        )
    return items


def _numbers(override: Override, sweep: RangeSweep) -> dict[str, Any]:
    found = sweep.range()
    values: Sequence[Any] = found if isinstance(found, range) else list(found)
    if not values:
        raise CompactHydraException(f"{override.input_line}: there is no value in this range; exchange its ends")
    ends = sorted((values[0], values[-1]))
    kind = "int" if isinstance(found, range) else "float"
    return {"type": kind, "lower": ends[0], "upper": ends[1], "step": abs(sweep.step)}


def _scale(sweep: Sweep) -> dict[str, bool]:
    return {"log": True} if "log" in sweep.tags else {}


def is_plain(value: Any) -> bool:
    """Is it a value of hpo's? Lists and mappings, and what Hydra resolves, are passed on as they were written."""
    if isinstance(value, str):
        return "${" not in value
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, int)
