"""Arguments that a script declares with click, read from its decorators."""

import ast
from collections.abc import Sequence

from hpo.proposing.argparse_options import PLACE, kind_of, text_of, with_places
from hpo.proposing.arguments import Argument, Interface, Unread, of_commands, style_of
from hpo.proposing.source import Source

_OF_ONE = {("click", "option"), ("click", "argument")}


def read_click(sources: Sequence[Source]) -> Interface | None:
    """Return the arguments of the script's click commands; None if it has no command."""
    commands: dict[str, list[Argument]] = {}
    groups: dict[str, list[Argument]] = {}
    in_group, unread = False, 0
    for source in sources:
        owners = _groups(source)
        for name, function in source.functions.items():
            marks = {_split(source, decorator): decorator for decorator in function.decorator_list}
            kinds = {kind: over for over, kind in marks if over in owners and kind in ("command", "group")}
            if not kinds:
                continue
            told = [d for d in function.decorator_list if _split(source, d) in _OF_ONE and isinstance(d, ast.Call)]
            found = [_argument(source, call) for call in told]
            unread += found.count(None)
            taken = with_places([argument for argument in found if argument is not None])
            mark = marks.get((kinds.get("command", ""), "command"))
            given = mark.args if isinstance(mark, ast.Call) else []
            word = str(source.value(given[0])) if given else name.lower().replace("_", "-")
            (groups if "group" in kinds else commands)[word] = taken
            in_group |= kinds.get("command", "click") != "click"
    if in_group and commands:
        before = ", ".join(argument.name for taken in groups.values() for argument in taken)
        note = [f"What stands before the command is not proposed: {before}."] if before else []
        interface = of_commands("click", commands, note)
    elif commands:
        taken = next(iter(commands.values()))
        interface = Interface("click", taken, style_of(taken))
    else:
        return None
    interface.unread = unread
    return interface


def _groups(source: Source) -> set[str]:
    """Return the names of functions that are click groups."""
    found: set[str] = {"click"}
    while more := {
        name
        for name, function in source.functions.items()
        if name not in found
        and any(_split(source, d) in {(over, "group") for over in found} for d in function.decorator_list)
    }:
        found |= more
    return found


def _split(source: Source, decorator: ast.expr) -> tuple[str, str]:
    """Return what a decorator is an attribute of, and its name: `cli.command` is cli and command."""
    over, _, name = source.full_name(decorator.func if isinstance(decorator, ast.Call) else decorator).rpartition(".")
    return over, name


def _argument(source: Source, call: ast.Call) -> Argument | None:
    words, given = [source.value(word) for word in call.args], source.keywords(call)
    if not words or not all(type(word) is str for word in words) or len(given) < len(call.keywords):
        return None
    place = source.full_name(call.func).endswith("argument")
    option = next((word for word in words if word.startswith("--")), words[0])
    default = source.value(given.get("default"))
    kind, choices, bounds = _type(source, given.get("type"), default)
    spelling = PLACE if place else None if option.startswith("--") else option
    if "/" in option or source.value(given.get("is_flag")) is True or (kind == "bool" and "type" not in given):
        kind, spelling = "bool", option if "/" in option else spelling
        default = default if "/" in option else False
    elif kind == "bool":
        kind = "word"
    if (
        source.value(given.get("multiple")) is True
        or source.value(given.get("nargs")) not in (None, 1)
        or "count" in given
    ):
        kind = "other"
    said = source.value(given.get("required"))
    return Argument(
        option.lstrip("-").partition("/")[0],
        kind,
        default,
        choices,
        bounds,
        required=said is True or (place and said is not False and default is None),
        spelling=spelling,
        where=source.where(call),
        help=text_of(source, given.get("help")),
    )


def _type(
    source: Source, node: ast.expr | None, default: object
) -> tuple[str, Sequence[object], tuple[float | None, float | None]]:
    """Return kind, choices and bounds of an option, by its type or else by its default."""
    if node is None:
        kinds: dict[type, str] = {
            bool: "bool",
            int: "int",
            float: "float",
            str: "text",
            type(None): "text",
            Unread: "text",
        }
        return kinds.get(type(default), "other"), (), (None, None)
    if isinstance(node, ast.Call):
        name = source.full_name(node.func).rpartition(".")[2]
        words, given = [source.value(word) for word in node.args], source.keywords(node)
        if name == "Choice" and words and isinstance(words[0], list | tuple):
            return "text", words[0], (None, None)
        if name in ("IntRange", "FloatRange"):
            ends = [source.value(given.get(end)) for end in ("min", "max")]
            ends = [*words[:2], *ends[len(words[:2]) :]]
            return "int" if name == "IntRange" else "float", (), (ends[0], ends[1])
        return ("text" if name == "Path" else "other"), (), (None, None)
    kind = kind_of(ast.unparse(node))
    return "bool" if kind == "word" else kind, (), (None, None)
