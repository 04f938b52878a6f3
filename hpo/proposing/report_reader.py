"""The reports of a program, from its calls of reporting functions, its training loop, its output, or what it returns."""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpo.config.choices import ReportChannel
from hpo.functions.ray_trainable import RESOURCE
from hpo.proposing.frameworks import read_framework
from hpo.proposing.printed_values import PrintedValue, read_formats, read_prints
from hpo.proposing.ray_trainables import find_trainable
from hpo.proposing.report_description import Reported, is_metric, is_resource
from hpo.proposing.returned_values import read_returned
from hpo.proposing.source import Source, read_sources


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


_DEEPEST = 5


def read_reports(script: Path) -> Reported:
    """Return what a program reports: by the calls in a Python script, by the text of any other program."""
    if script.suffix != ".py":
        text = script.read_bytes().decode("latin-1")
        told = _of_text(text, "")
        return told if told.names else reported_of(read_formats(text, where="in its text"))
    sources = read_sources(script)
    reporters = {n for source in sources for n, v in source.assigned.items() if _is_reporter(source, v)}
    found: dict[str, None] = {}
    where, channel, elsewhere = "", ReportChannel.file, ""
    for source in sources:
        for call in source.calls:
            name = source.full_name(call.func)
            foreign = re.fullmatch(r"ray\.(tune|train|air\.session)(\.session)?\.report", name) is not None
            syne = ast.unparse(call.func) in reporters
            if not (name == "hpo.report" or foreign or syne):
                continue
            elsewhere = name if foreign else elsewhere
            channel = ReportChannel.syne_tune if syne else channel
            where = where or source.where(call)
            found |= dict.fromkeys(_names_of(source, call))
    if (trainable := find_trainable(sources)) is not None:
        names = [RESOURCE, *dict.fromkeys([*([trainable.metric] if trainable.metric else []), *found])]
        names = [name for name in names if name == RESOURCE or not is_resource(name)]
        return Reported(names, where=where or trainable.where, metric=trainable.metric, mode=trainable.mode)
    if where:
        return Reported(list(found), channel, where, elsewhere)
    told = _of_text("\n".join(source.path.read_text(errors="replace") for source in sources), "")
    if told.names:
        return told
    printed = read_framework(sources) or read_output(sources)
    # What is printed as the training goes on says more than what is returned at its end.
    during = bool(printed.metrics) and printed.resource is not None
    return printed if during else read_returned(sources) or printed


def _is_reporter(source: Source, node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and source.full_name(node.func).startswith("syne_tune")
        and "Reporter" in ast.unparse(node)
    )


def _names_of(source: Source, call: ast.Call, depth: int = 0) -> Iterator[str]:
    """Yield the names of reported values: keywords, keys of a mapping, or keys of a variable that holds one."""
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield keyword.arg
        else:
            yield from _keys(source, keyword.value, depth)
    for argument in call.args:
        yield from _keys(source, argument, depth)


def _keys(source: Source, node: ast.AST, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return  # a mapping that is made of itself
    match node:
        case ast.Dict():
            for key, value in zip(node.keys, node.values, strict=True):
                name = source.value(key)
                yield from _keys(source, value, depth + 1) if key is None else [name] if type(name) is str else ()
        case ast.Call(func=ast.Name(id="dict")):
            yield from _names_of(source, node, depth + 1)
        case ast.Name():
            if (given := source.assigned.get(node.id)) is not None:
                yield from _keys(source, given, depth + 1)
            pattern = re.compile(rf"{re.escape(node.id)}\[['\"](\w+)['\"]\]")
            yield from (match[1] for text in source.assigned if (match := pattern.fullmatch(text)))


def _of_text(text: str, where: str) -> Reported:
    """Return the reports of a program that writes the JSON lines itself, by the keys in its text."""
    for mark, channel in (("[tune-metric]", ReportChannel.syne_tune), ("HPO_REPORT_FILE", ReportChannel.file)):
        if mark in text:
            names = re.findall(r"""\\?["']([A-Za-z_]\w*)\\?["']\s*:""", text)
            return Reported(list(dict.fromkeys(names)), channel, where)
    return Reported()
