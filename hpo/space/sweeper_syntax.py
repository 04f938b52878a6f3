"""Parsing of domains in the syntax of Hydra's sweepers: `interval(1e-4, 1)`, `tag(log, interval(1, 9))`, `choice(a, b)`."""

import ast
from typing import Any

_WORDS = {"true": True, "false": False, "null": None}


def parse_sweeper_expression(text: str) -> dict[str, Any] | None:
    """Translate a sweeper expression, such as `interval(1e-4, 1)`, into the YAML form of a domain; None if it is not one."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    return _spec(tree, log=False, whole=False)


def _spec(node: ast.expr, *, log: bool, whole: bool) -> dict[str, Any] | None:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.keywords:
        return None
    name, given = node.func.id, node.args
    if name == "tag" and given:
        tags = [word.id for word in given[:-1] if isinstance(word, ast.Name)]
        return _spec(given[-1], log=log or "log" in tags, whole=whole or "int" in tags)
    if name in ("int", "float") and len(given) == 1:
        return _spec(given[0], log=log, whole=name == "int")
    values = [_value(word) for word in given]
    if name == "choice" and values:
        return {"type": "choice", "values": values}
    if name != "interval" or len(values) != 2 or not all(isinstance(value, int | float) for value in values):
        return None
    ends = [int(value) if whole else float(value) for value in values]
    return {"type": "int" if whole else "float", "lower": ends[0], "upper": ends[1], **({"log": True} if log else {})}


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return _WORDS.get(node.id, node.id)
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
