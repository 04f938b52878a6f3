"""Values with a label in what a program prints, each with a pattern that finds it, and the stream that it is printed to."""

import ast
import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hpo.config.choices import ReportChannel
from hpo.proposing.arguments import Unread
from hpo.proposing.report_description import is_resource
from hpo.proposing.source import Source

_PRINTING = re.compile(
    r"(rich\.)?print|(click|typer)\.(secho|echo)|(tqdm|pbar)(\.\w+)*\.write|sys\.std(out|err)\.write|accelerator\.print"
)
_LOGGING = re.compile(r"(.*\.)?_?(log|logger|logging)\.(debug|info|warning|warn|error|critical|log)", re.IGNORECASE)
_TO_STDOUT = re.compile(r"(StreamHandler|basicConfig|logger\.add)\(.*sys\.stdout|RichHandler\(|Console\(")
_TO_STDERR = re.compile(r"basicConfig\(|StreamHandler\(|dictConfig\(|fileConfig\(|setup_logger\(|set_verbosity")
_LOGS_BY_ITSELF = ("absl", "loguru", "accelerate")
"""Packages whose loggers write to standard error unless they are told otherwise."""


def stream_of(source: Source, call: ast.Call, sources: Sequence[Source]) -> ReportChannel | None:
    """Return the stream on which a call prints or logs; None if it does neither, or writes elsewhere.

    Args:
        source: The file with the call.
        call: Any call in it.
        sources: All files of the program, one of which may configure logging.
    """
    name = source.full_name(call.func)
    if _PRINTING.fullmatch(name):
        given = source.keywords(call)
        file = ast.unparse(given["file"]) if "file" in given else "sys.stderr" if "stderr" in name else "sys.stdout"
        to_stderr = "err" in given and source.value(given["err"]) is not False
        return {"sys.stdout": _error_if(to_stderr), "sys.stderr": ReportChannel.stderr}.get(file)
    return _stream_of_logging(sources) if is_logging(source, call) else None


def _error_if(condition: bool) -> ReportChannel:
    return ReportChannel.stderr if condition else ReportChannel.stdout


def is_logging(source: Source, call: ast.Call) -> bool:
    """Whether a call passes a message to a logger, as `logger.info("loss = %f", loss)` does."""
    if not isinstance(call.func, ast.Attribute):
        return False
    owner = source.assigned.get(ast.unparse(call.func.value))
    known = owner is not None and re.search(r"get_?logger\(", ast.unparse(owner), re.IGNORECASE) is not None
    return _LOGGING.fullmatch(f"logger.{call.func.attr}" if known else source.full_name(call.func)) is not None


def _stream_of_logging(sources: Sequence[Source]) -> ReportChannel | None:
    """Return the stream of the program's log: standard output in Hydra apps, else standard error if logging is set up."""
    marks = (s.full_name(mark) for s in sources for f in s.functions.values() for mark in f.decorator_list)
    calls = [" ".join(ast.unparse(call).split()) for source in sources for call in source.calls]
    if any(mark.startswith("hydra.main") for mark in marks) or any(map(_TO_STDOUT.search, calls)):
        return ReportChannel.stdout
    configured = any(_TO_STDERR.search(call) and "filename=" not in call for call in calls)
    known = any(source.imports(package) for source in sources for package in _LOGS_BY_ITSELF)
    return ReportChannel.stderr if configured or known else None


NUMBER = r"([-+.\w]+)"
"""Group of a pattern that matches a number as programs print it, nan and inf included."""
_PERCENT = re.compile(r"%(?:\(\w+\))?[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?[diouxXeEfFgGcrsa%]")
_BREAKS = re.compile(r"[,;:|()\[\]{}<>]|\t|\s-+\s|\s=\s")
"""Pattern of the characters that separate a label from the text before it."""
_SEPARATOR = re.compile(r"[\s:=(\[>~-]*$")
_OF_WHICH_DATA = re.compile(r"\b(train|training|valid|validation|val|dev|eval|evaluation|test)\b", re.IGNORECASE)
_READABLE = re.compile(r"[\t\n\r\x20-\x7e]{6,}")
_LONGEST_FORMAT = 300
_LONGEST_LABEL = 4
"""Number of words up to which a text before a value is a label."""

Piece = str | ast.expr
"""Part of a printed line: a text, or the expression of a value."""


@dataclass(frozen=True)
class PrintedValue:
    """A value with a label in a line of a program's output."""

    name: str
    """Name made of the label: `Test loss` becomes test_loss."""
    pattern: str
    value: ast.expr | None
    """The expression that is printed; None if the program is not Python."""
    line: str
    """The whole line with 1 in place of each value."""
    position: int
    """Index of the value in `line`."""
    where: str
    counted: bool
    """Whether a total follows the value, as in `3/10`."""
    stream: ReportChannel = ReportChannel.stdout
    logged: bool = False
    """Whether a logger writes the line, which then begins with a time or a level."""


def read_prints(sources: Sequence[Source]) -> list[PrintedValue]:
    """Return the values with a label that a script prints or logs, in the order of its source, each name once."""
    found = [
        replace(value, stream=stream, logged=is_logging(source, call))
        for source in sources
        for call in source.calls
        if (stream := stream_of(source, call, sources)) is not None
        for line in _lines(source, call)
        for value in _values_of(line, source.where(call))
    ]
    return _each_once(found)


def read_formats(text: str, *, where: str) -> list[PrintedValue]:
    r"""Return the values with a label in the formats of `printf` that a program contains, such as `"loss %g\\n"`.

    If some lines have a resource beside other values, only these lines count: a program reports while it trains.

    Args:
        text: The program, source or binary.
        where: Words for the place of the values in the proposal; the format is added to them.
    """
    found: list[PrintedValue] = []
    for run in _READABLE.findall(text):
        for literal in re.split(r'"|\n|\r|\\[nr]', run):
            kinds = _PERCENT.findall(literal)
            if kinds and len(literal) < _LONGEST_FORMAT:
                values: list[ast.expr] = [ast.Constant(kind[-1]) for kind in kinds]
                line: list[Piece] = _woven(_PERCENT.split(literal), values)
                numbers = [v for v in _values_of(line, f"{where}: {literal.strip()}") if not _is_text(v)]
                found += [replace(value, value=None) for value in numbers]
    resources = {value.line for value in found if is_resource(value.name)}
    reports = resources & {value.line for value in found if not is_resource(value.name)}
    found = [value for value in found if value.line in reports or not reports]
    spellings: dict[str, list[PrintedValue]] = {}
    for value in found:
        spellings.setdefault(value.name, []).append(value)
    several = {name: values[0] for name, values in spellings.items() if len({value.pattern for value in values}) > 1}
    return [_relaxed(several[value.name]) if value.name in several else value for value in _each_once(found)]


def _is_text(value: PrintedValue) -> bool:
    return isinstance(value.value, ast.Constant) and value.value.value in ("s", "c", "%")


def _relaxed(value: PrintedValue) -> PrintedValue:
    """Return a value with a pattern that accepts any separator between its label and the number."""
    return replace(value, pattern=re.sub(r"(\\s[+*]|[:=])*\(\[", r"\\s*[:=]?\\s*([", value.pattern, count=1))


def _each_once(found: Sequence[PrintedValue]) -> list[PrintedValue]:
    lines = {value.line for value in found}
    names: dict[str, PrintedValue] = {}
    for value in found:
        names.setdefault(value.name, _only_in_its_line(value, lines))
    return list(names.values())


def _lines(source: Source, call: ast.Call) -> Iterator[list[Piece]]:
    """Yield what a call prints, line by line."""
    separator = source.value(source.keywords(call).get("sep"))
    between = separator if type(separator) is str else " "
    pieces: list[Piece] = _of_message(source, call) if is_logging(source, call) else []
    for number, argument in enumerate(call.args if not pieces else ()):
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


def _of_message(source: Source, call: ast.Call) -> list[Piece]:
    """Return the pieces of a logged message, whose values follow its format as arguments."""
    levelled = isinstance(call.func, ast.Attribute) and call.func.attr == "log" and len(call.args) > 1
    arguments = call.args[1:] if levelled else call.args
    text = source.value(arguments[0]) if arguments else None
    if len(arguments) > 1 and type(text) is str:
        if len(_PERCENT.findall(text)) == len(arguments) - 1:
            return _woven(_PERCENT.split(text), arguments[1:])
        return _of_format(text, ast.Call(call.func, arguments[1:], call.keywords))
    return _pieces(source, arguments[0]) if arguments else []


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
    """Yield the values of a line that have a label directly before them."""
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
        position = sum(len(piece) if isinstance(piece, str) else 1 for piece in joined[: number + 1])
        counted = isinstance(after, str) and after.startswith("/")
        yield PrintedValue(name, pattern, value, shown, position, where, counted)


def _only_in_its_line(value: PrintedValue, lines: set[str]) -> PrintedValue:
    """Return a value whose pattern includes the beginning of its line, if other lines have the same label."""
    if sum(re.search(value.pattern, line) is not None for line in lines) < 2:
        return value
    words = re.match(r"\W*[A-Za-z]+", value.line)
    begin = _any_blanks(words[0].strip()) if words is not None else ""
    start = r"\b" if value.logged else r"^\s*"
    # The label may itself begin the line, and come once more in it: `step 1 | loss 1 | step time 1`.
    beginnings = [start, *([f"{start}{begin}.*", f"{start}{begin}.*?"] if begin else [])]
    patterns = [f"{beginning}{value.pattern}" for beginning in beginnings]
    return next((replace(value, pattern=pattern) for pattern in patterns if _finds(pattern, value)), value)


def _finds(pattern: str, value: PrintedValue) -> bool:
    found = re.search(pattern, value.line)
    return found is not None and found.start(1) == value.position


def _any_blanks(text: str) -> str:
    """Return a pattern of a text that accepts any number of blanks between its words."""
    return r"\s+".join(map(re.escape, text.split()))
