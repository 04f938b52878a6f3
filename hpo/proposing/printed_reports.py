"""Reports made of what a script prints: its metrics, its resource, and whether it counts from 0 or 1."""

import ast
from collections.abc import Sequence

from hpo.config.choices import ReportChannel
from hpo.proposing.printed_values import PrintedValue, read_prints
from hpo.proposing.report_description import Reported, is_metric, is_resource
from hpo.proposing.source import Source


def read_output(sources: Sequence[Source]) -> Reported:
    """Return the reports in what a Python script prints or logs: values with a label whose better direction is known."""
    return reported_of(read_prints(sources), sources)


def reported_of(printed: Sequence[PrintedValue], sources: Sequence[Source] = ()) -> Reported:
    """Return the reports that printed values make, on the stream of the likeliest metric.

    Args:
        printed: Values with a label.
        sources: The files of a Python script, for where a loop begins to count.
    """
    likeliest = next(iter(Reported([value.name for value in printed if is_metric(value.name)]).metrics), None)
    stream = next((value.stream for value in printed if value.name == likeliest), ReportChannel.stdout)
    printed = [value for value in printed if value.stream == stream]
    begins = {id(value): first for value in printed if (first := _first_of(sources, value)) is not None}
    resource = next((value for value in printed if id(value) in begins and is_resource(value.name)), None)
    metrics = [value for value in printed if is_metric(value.name) and not value.counted]
    if not metrics:
        return Reported(unnamed=[value.name for value in printed])
    found = [*([resource] if resource else []), *metrics]
    return Reported(
        [value.name for value in found],
        stream,
        patterns={value.name: (value.pattern, value.where) for value in found},
        first=begins[id(resource)] if resource else 1,
    )


def _first_of(sources: Sequence[Source], value: PrintedValue) -> int | None:
    """Return the first value of a printed loop variable, 0 or 1; None if the value is none."""
    if value.value is None:
        return 1
    node: ast.expr = value.value
    more = 0
    match node:
        case ast.BinOp(left=left, op=ast.Add(), right=ast.Constant(value=int(more))):
            node = left
    steps = isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv)
    node = node.left if isinstance(node, ast.BinOp) and steps else node
    if not isinstance(node, ast.Name):
        return None
    for source in sources:
        for loop in source.nodes:
            if isinstance(loop, ast.For) and node.id in ast.unparse(loop.target).strip("()").split(", "):
                return min((0 if steps else _begin(source, loop.iter)) + more, 1)  # step // steps_per_epoch
    return None if steps else 1


def _begin(source: Source, node: ast.expr) -> int:
    """Return the first number of a loop, 0 or 1; 1 if it is known only when the script runs."""
    for call in ast.walk(node):
        what = ast.unparse(call.func).rpartition(".")[2] if isinstance(call, ast.Call) else ""
        if isinstance(call, ast.Call) and what in ("range", "trange", "enumerate"):
            given = source.keywords(call).get("start", call.args[-1] if what == "enumerate" else call.args[0])
            alone = len(call.args) == 1 and "start" not in source.keywords(call)
            number = 0 if alone else source.value(given)
            return number if number in (0, 1) else 1
    return 1
