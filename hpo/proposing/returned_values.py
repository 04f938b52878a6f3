"""The result that a Hydra app returns from the function under `@hydra.main`, and the callback of hpo that reports it."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hpo.config.metric_direction import usual_mode
from hpo.proposing.arguments import Argument, Unread
from hpo.proposing.report_description import Reported
from hpo.proposing.source import Function, Source

_DEEPEST = 3
"""Number of calls that are followed from one function's return to another's."""
_SAME = ("float", "int", "round", "abs", "min", "max", "sum", "mean", "item", "cpu", "numpy", "detach", "tolist")
"""Functions and methods whose result keeps the name of what they are given."""


def read_returned(sources: Sequence[Source]) -> Reported | None:
    """Return what a Hydra app returns as its result; None if it is not a Hydra app, or returns nothing."""
    for source in sources:
        for function in source.functions.values():
            marks = [mark.func if isinstance(mark, ast.Call) else mark for mark in function.decorator_list]
            if "hydra.main" not in map(source.full_name, marks):
                continue
            for node in _returns(function):
                names = [re.sub(r"\W+", "_", name).strip("_") for name in _names(source, sources, node, 0)]
                known = sorted(filter(None, names), key=lambda name: usual_mode(name) is None)
                if known:
                    return Reported(known, where=source.where(node), returned=True)
    return None


def with_callback(reported: Reported, limit: Argument | None) -> Reported:
    """Return the reports of an app that returns its result, with the callback that makes them.

    Args:
        reported: As `read_returned` gives it.
        limit: The key of the app's configuration that says how long a training is, if there is one.
    """
    given = {"_target_": "hpo.integrations.hydra_app.ReportReturned", "metric": reported.metrics[0]}
    names = list(reported.names)
    if limit is not None:
        unit = next(iter(re.findall("epoch|step|iter|round|update", limit.name.lower())), "epoch")
        given |= {"resource_attr": unit, "max_resource_attr": limit.name}
        names = [unit, *names]
    where = f"reports what {reported.where} returns"
    return replace(reported, names=names, arguments=[Argument("++hydra.callbacks.hpo", given=given, where=where)])


def _returns(function: Function) -> Iterator[ast.expr]:
    """The expressions that a function returns, the last one first; not those of functions inside it."""
    todo: list[ast.AST] = list(function.body)
    found: list[ast.expr] = []
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Return) and node.value is not None:
            found.append(node.value)
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            todo += ast.iter_child_nodes(node)
    yield from sorted(found, key=lambda node: -node.lineno)


def _names(source: Source, sources: Sequence[Source], node: ast.expr, depth: int) -> Iterator[str]:
    """Names for a returned value, the likeliest first; none for a value that is not a result."""
    match node:
        case ast.Constant():
            return
        case ast.Dict():
            yield from (key for key in (source.value(key) for key in node.keys) if type(key) is str)
        case ast.Subscript():
            key = source.value(node.slice)
            yield from [key] if type(key) is str else _names(source, sources, node.value, depth)
        case ast.UnaryOp(op=ast.USub()):
            yield from (f"minus_{name}" for name in _names(source, sources, node.operand, depth))
        case ast.Call():
            yield from _names_of_call(source, sources, node, depth)
        case ast.Attribute():
            yield node.attr
        case ast.Name():
            given = source.assigned.get(node.id)
            if usual_mode(node.id) is None and given is not None and depth < _DEEPEST:
                yield from (name for name in _names(source, sources, given, depth + 1) if usual_mode(name) is not None)
            yield node.id
        case ast.IfExp():
            yield from _names(source, sources, node.body, depth)
        case _:
            yield "result"


def _names_of_call(source: Source, sources: Sequence[Source], call: ast.Call, depth: int) -> Iterator[str]:
    name = source.full_name(call.func).rpartition(".")[2]
    if name == "get" and call.args and not isinstance(key := source.value(call.args[0]), Unread):
        yield str(key)
    elif name in _SAME:
        inner = call.args[0] if call.args else call.func.value if isinstance(call.func, ast.Attribute) else None
        yield from _names(source, sources, inner, depth) if inner is not None else ()
    else:
        holder = next((one for one in sources if name in one.functions), None)
        if holder is not None and depth < _DEEPEST:
            for node in _returns(holder.functions[name]):
                yield from _names(holder, sources, node, depth + 1)
        elif holder is None:
            yield name if usual_mode(name) is not None else "result"
