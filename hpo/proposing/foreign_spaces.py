"""Search spaces that a script has for another tuner: mappings with domains of Ray Tune or Syne Tune."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hpo.proposing.arguments import Argument, Unread
from hpo.proposing.domains import Domain
from hpo.proposing.source import Source

_PLACES = re.compile(r"(ray\.tune|syne_tune\.config_space)(\.\w+)*")


def _interval(kind: str, **more: Any) -> Callable[..., Domain]:
    return lambda lower, upper, *_: {"type": kind, "lower": lower, "upper": upper, **more}


def _stepped(lower: float, upper: float, step: float, *_: Any) -> Domain:
    return {"type": "float", "lower": lower, "upper": upper, "step": step}


def _counted(lower: float, upper: float, size: int, *_: Any) -> Domain:
    return {"type": "float", "lower": lower, "upper": upper, "step": (upper - lower) / (size - 1)}


def _values(kind: str) -> Callable[..., Domain]:
    return lambda values, *_: {"type": kind, "values": list(values)}


_SHARED: dict[str, Callable[..., Domain]] = {
    "uniform": _interval("float"),
    "loguniform": _interval("float", log=True),
    "randint": _interval("int"),
    "lograndint": _interval("int", log=True),
    "choice": _values("choice"),
}
_OF_RAY = {**_SHARED, "quniform": _stepped, "grid_search": _values("ordinal")}
_OF_SYNE_TUNE = {
    **_SHARED,
    "reverseloguniform": _interval("float", reverse_log=True),
    "finrange": _counted,
    "ordinal": _values("ordinal"),
    "logordinal": _values("ordinal"),
}


def read_space(sources: Sequence[Source]) -> list[Argument]:
    """Return the entries of the first mapping with domains of another tuner; empty if there is none."""
    mappings = ((source, node) for source in sources for node in source.nodes if isinstance(node, ast.Dict))
    spaces = (entries_of(source, mapping) for source, mapping in mappings)
    return next((space for space in spaces if any(entry.domain for entry in space)), [])


def entries_of(source: Source, space: ast.Dict) -> list[Argument]:
    """Return the domains and the constants of a mapping as arguments."""
    found = []
    for key, node in zip(space.keys, space.values, strict=True):
        name = source.value(key)
        if type(name) is not str:
            continue
        # 5 if args.smoke_test else 100
        node = node.orelse if isinstance(node, ast.IfExp) else node
        domain = domain_of(source, node)
        value = None if domain else source.value(node)
        kinds = {bool: "word", int: "int", float: "float", str: "text", Unread: "text"}
        given = None if isinstance(value, Unread) else value
        where = source.where(node)
        found.append(
            Argument(
                name,
                kinds.get(type(value), "other"),
                given,
                domain=domain,
                required=domain is None,
                given=given,
                where=where,
            )
        )
    return found


def domain_of(source: Source, node: ast.expr) -> Domain | None:
    """Return the domain that a call such as `tune.loguniform(1e-4, 1)` stands for; None if it is none or cannot be read."""
    if not isinstance(node, ast.Call):
        return None
    place, _, name = source.full_name(node.func).rpartition(".")
    if _PLACES.fullmatch(place) is None:
        return None
    by_ray = place.startswith("ray")
    make = (_OF_RAY if by_ray else _OF_SYNE_TUNE).get(name)
    given = source.keywords(node)
    values = [source.value(value) for value in (*node.args, *given.values())]
    if make is None or any(isinstance(value, Unread) for value in values):
        return None
    try:
        domain = make(*values)
    except (TypeError, ZeroDivisionError):
        return None
    if by_ray and domain["type"] == "int":
        domain["upper"] -= 1  # Ray leaves it out
    if "values" in domain and domain["type"] == "ordinal" and not _is_ascending(domain["values"]):
        domain["type"] = "choice"
    return domain


def _is_ascending(values: Sequence[Any]) -> bool:
    return all(type(value) in (int, float) for value in values) and list(values) == sorted(set(values))


def with_domains(arguments: Sequence[Argument], space: Sequence[Argument]) -> Iterator[Argument]:
    """Yield a parser's arguments, with the domains that another tuner's search space in the same script has for them."""
    domains: Mapping[str, Domain] = {entry.name: entry.domain for entry in space if entry.domain}
    for argument in arguments:
        yield replace(argument, domain=domains[argument.name]) if argument.name in domains else argument
