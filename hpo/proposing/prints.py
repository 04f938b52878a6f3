"""What a script prints: each value behind a label, and a pattern that finds it in the output."""

import ast
import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hpo.proposing.arguments import Unread
from hpo.proposing.source import Source

NUMBER = r"([-+.\w]+)"
"""The first group of a pattern: a number as any program prints it, also nan and inf."""
_PRINTING = re.compile(r"(rich\.)?print|(click|typer)\.(secho|echo)|(tqdm|pbar)(\.\w+)*\.write|sys\.stdout\.write")
_PERCENT = re.compile(r"%(?:\(\w+\))?[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?[diouxXeEfFgGcrsa%]")
_BREAKS = re.compile(r"[,;:|()\[\]{}<>]|\t|\s-+\s|\s=\s")
"""What stands between a label and what is before it."""
_SEPARATOR = re.compile(r"[\s:=(\[>~-]*$")
_OF_WHICH_DATA = re.compile(r"\b(train|training|valid|validation|val|dev|eval|evaluation|test)\b", re.IGNORECASE)
_LONGEST_LABEL = 4
"""Words: what has more is a sentence."""

Piece = str | ast.expr
"""A text that is printed as it is, or a value."""


@dataclass(frozen=True)
class PrintedValue:
    """A value that a line of the output has."""

    name: str
    """Made of its label: `Test loss` is test_loss."""
    pattern: str
    value: ast.expr
    line: str
    """The whole line, with a number for each value."""
    where: str
    counted: bool
    """Is it one of so many, as in `3/10`?"""


def read_prints(sources: Sequence[Source]) -> list[PrintedValue]:
    """The values with a label that a script prints, in the order of its text; each name once."""
    found = [
        value
        for source in sources
        for call in source.calls
        if _PRINTING.fullmatch(source.full_name(call.func)) and not _goes_elsewhere(source, call)
        for line in _lines(source, call)
        for value in _values_of(line, source.where(call))
    ]
    lines = {value.line for value in found}
    names: dict[str, PrintedValue] = {}
    for value in found:
        names.setdefault(value.name, _only_in_its_line(value, lines))
    return list(names.values())


def _goes_elsewhere(source: Source, call: ast.Call) -> bool:
    given = source.keywords(call)
    return "file" in given or ("err" in given and source.value(given["err"]) is not False)


def _lines(source: Source, call: ast.Call) -> Iterator[list[Piece]]:
    """What a call prints, line by line."""
    separator = source.value(source.keywords(call).get("sep"))
    between = separator if type(separator) is str else " "
    pieces: list[Piece] = []
    for number, argument in enumerate(call.args):
        pieces += [between] if number else []
        pieces += _pieces(source, argument)
    line: list[Piece] = []
    for piece in pieces:
        texts = re.split(r"[\r\n]", piece) if isinstance(piece, str) else [piece]
        line.append(texts[0])
        for text in texts[1:]:
            yield line
            line = [text]
    yield line


def _pieces(source: Source, node: ast.expr) -> list[Piece]:
    match node:
        case ast.JoinedStr():
            return [piece for part in node.values for piece in _pieces(source, part)]
        case ast.FormattedValue():
            return [node.value]
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return _of_format(text, node)
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
            values = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
            return _woven(_PERCENT.split(text), values) if len(_PERCENT.findall(text)) == len(values) else [node]
        case ast.BinOp(op=ast.Add()):
            return [*_pieces(source, node.left), *_pieces(source, node.right)]
        case ast.Call(func=ast.Name(id="str" | "round" | "float" | "int"), args=[inner, *_]):
            return [inner]
    text = source.value(node)
    return [node] if isinstance(text, Unread) or type(text) is not str else [text]


def _of_format(text: str, call: ast.Call) -> list[Piece]:
    try:
        fields = list(string.Formatter().parse(text))
    except ValueError:
        return [call]
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    pieces: list[Piece] = []
    place = 0
    for literal, name, *_ in fields:
        pieces.append(literal)
        if name is None:
            continue
        first = re.split(r"[.\[]", name)[0]
        number = int(first) if first.isdecimal() else place
        place += first == ""
        pieces.append(given.get(first) or (call.args[number] if number < len(call.args) else call))
    return pieces


def _woven(texts: Sequence[str], values: Sequence[ast.expr]) -> list[Piece]:
    pieces: list[Piece] = [texts[0]]
    for value, text in zip(values, texts[1:], strict=True):
        pieces += [value, text]
    return pieces


def _values_of(line: list[Piece], where: str) -> Iterator[PrintedValue]:
    """Those whose label stands directly before them."""
    joined: list[Piece] = []
    for piece in line:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    shown = "".join(piece if isinstance(piece, str) else "1" for piece in joined)
    for number, (before, value) in enumerate(pairwise(joined)):
        if not isinstance(before, str) or isinstance(value, str):
            continue
        told = before[: _SEPARATOR.search(before).start()]  # type: ignore[union-attr]
        label = _BREAKS.split(told)[-1].strip(" '\"*#.-_")
        name = "_".join(re.findall(r"[a-z0-9]+", label.lower()))
        if not label or not label[0].isalpha() or len(label.split()) > _LONGEST_LABEL:
            continue
        ahead = "".join(piece for piece in joined[: number + 1] if isinstance(piece, str))
        data = _OF_WHICH_DATA.findall(ahead[: ahead.rfind(label)])
        if data and not _OF_WHICH_DATA.search(label.replace("_", " ")):
            name = f"{data[-1].lower()}_{name}"
        after = joined[number + 2] if number + 2 < len(joined) else ""
        text = before[before.rfind(label) :]
        blank = r"\s+" if text == label + " " * (len(text) - len(label)) else r"\s*"
        pattern = rf"\b{_any_blanks(text)}{blank}{NUMBER}"
        yield PrintedValue(name, pattern, value, shown, where, isinstance(after, str) and after.startswith("/"))


def _only_in_its_line(value: PrintedValue, lines: set[str]) -> PrintedValue:
    """With the beginning of its line where its label stands in other lines, too."""
    if sum(re.search(value.pattern, line) is not None for line in lines) < 2:
        return value
    words = re.match(r"\W*[A-Za-z]+", value.line)
    begin = words[0].strip() if words is not None else ""
    return replace(value, pattern=rf"^\s*{_any_blanks(begin)}.*{value.pattern}") if begin else value


def _any_blanks(text: str) -> str:
    """A pattern of a text, however many blanks are between its words."""
    return r"\s+".join(map(re.escape, text.split()))
