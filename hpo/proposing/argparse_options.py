"""Arguments that a script declares with argparse or absl, read from the calls in its source."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from hpo.proposing.argument_roles import is_never_tuned
from hpo.proposing.arguments import Argument, Interface, Unread, of_commands, style_of
from hpo.proposing.source import ST_CHECKPOINT_DIR, Source

_MAIN, _COMMON = "", "*"
"""Owners of arguments: the main parser, and any parser, for arguments added to a parser that cannot be identified."""

PLACE = "0"
"""Provisional spelling of a positional argument, replaced by its place on the command line."""


@dataclass
class _Reader:
    """A reader of argparse calls that keeps track of which parser each variable stands for."""

    taken: dict[str, list[Argument]] = field(default_factory=lambda: {_MAIN: [], _COMMON: []})
    """Arguments by owner: a subcommand, or the variable of a parser that others name in `parents=`."""
    owners: dict[str, str] = field(default_factory=dict)
    """Owner of the parser, or argument group, that a variable currently stands for."""
    parents: dict[str, list[str]] = field(default_factory=dict)
    """Variables of the parsers that each owner's parser inherits from."""
    defaults: dict[str, Any] = field(default_factory=dict)
    unread: int = 0

    def read(self, source: Source) -> None:
        """Collect the arguments of one file, line by line."""
        common = {ast.unparse(item) for call in source.calls for item in _parents(source, call)}
        for node in source.nodes:
            match node:
                case ast.Assign(targets=[target], value=ast.Call() as call):
                    self._note(source, ast.unparse(target), call, common)
                case ast.Call(func=ast.Name(id="add_checkpointing_to_argparse")):
                    self.taken[_COMMON].append(Argument(ST_CHECKPOINT_DIR, where=source.where(node)))
                case ast.Call(func=ast.Attribute(attr="set_defaults")):
                    self.defaults |= {name: source.value(value) for name, value in source.keywords(node).items()}
                case ast.Call(func=ast.Attribute(value=parser, attr="add_argument")):
                    argument = _argument(source, node)
                    if argument is None:
                        self.unread += 1
                    else:
                        self.taken[self.owners.get(ast.unparse(parser), _COMMON)].append(argument)

    def _note(self, source: Source, variable: str, call: ast.Call, common: set[str]) -> None:
        what = ast.unparse(call.func).rpartition(".")[2]
        if what == "add_parser" and call.args:
            owner = str(source.value(call.args[0]))
        elif what.endswith("ArgumentParser"):
            owner = variable if variable in common else _MAIN
        elif what in ("add_argument_group", "add_mutually_exclusive_group"):
            assert isinstance(call.func, ast.Attribute)
            owner = self.owners.get(ast.unparse(call.func.value), _COMMON)
        else:
            return
        self.owners[variable] = owner
        self.taken.setdefault(owner, [])
        self.parents.setdefault(owner, []).extend(ast.unparse(item) for item in _parents(source, call))

    def of(self, owner: str) -> list[Argument]:
        """Return all arguments of one owner's parser, inherited ones included."""
        inherited = [a for variable in self.parents.get(owner, []) for a in self.taken.get(variable, [])]
        return with_places([*inherited, *self.taken[_COMMON], *self.taken[owner]], self.defaults)


def read_argparse(sources: Sequence[Source]) -> Interface | None:
    """Return the arguments that a script adds by `add_argument`; None if it adds none."""
    reader = _Reader()
    for source in sources:
        reader.read(source)
    variables = {variable for names in reader.parents.values() for variable in names}
    commands = [name for name in reader.taken if name not in (_MAIN, _COMMON) and name not in variables]
    if commands:
        before = ", ".join(argument.name for argument in reader.taken[_MAIN])
        note = [f"What stands before the command is not proposed: {before}."] if before else []
        interface = of_commands("argparse", {name: reader.of(name) for name in commands}, note)
    else:
        taken = reader.of(_MAIN)
        interface = Interface("argparse", taken, style_of(taken))
    interface.unread = reader.unread
    return interface if interface.arguments or interface.unread else None


def _parents(source: Source, call: ast.Call) -> list[ast.expr]:
    given = source.keywords(call).get("parents")
    return given.elts if isinstance(given, ast.List | ast.Tuple) else []


def _argument(source: Source, call: ast.Call) -> Argument | None:
    """Return the argument that one `add_argument` call declares; None if its name is computed when the script runs."""
    names = [source.value(word) for word in call.args]
    given = source.keywords(call)
    if not names or not all(type(name) is str for name in names) or len(given) < len(call.keywords):
        return None
    option = next((name for name in names if name.startswith("--")), names[0])
    name, place = option.lstrip("-"), not option.startswith("-")
    action = (ast.unparse(given["action"]) if "action" in given else "store").strip("'\"").rpartition(".")[2]
    nargs, default = source.value(given.get("nargs")), source.value(given.get("default"))
    choices = source.value(given.get("choices"))
    spelling = PLACE if place else None if option.startswith("--") else option
    if action in ("store_true", "store_false", "BooleanOptionalAction"):
        kind = "bool"
        default, spelling = (
            (False, spelling) if action != "BooleanOptionalAction" else (default, f"{option}/--no-{name}")
        )
    elif action != "store" or nargs not in (None, "?", 1):
        kind = "other"
    else:
        kind = kind_of(ast.unparse(given["type"])) if "type" in given else "text"
    told = text_of(source, given.get("help"))
    if action == "store_false":
        told = "; ".join(filter(None, [told, f"true gives {option}, which switches it off"]))
    argument = Argument(
        name,
        kind,
        default,
        choices if isinstance(choices, list | tuple) else (),
        required=source.value(given.get("required")) is True or (place and nargs not in ("?", "*") and default is None),
        spelling=spelling,
        where=source.where(call),
        help=told,
    )
    # A number that nobody gives would be None, with which a training cannot do much.
    bare = kind in ("int", "float") and "default" not in given and not is_never_tuned(argument)
    return replace(argument, required=True) if bare else argument


def with_places(arguments: Sequence[Argument], defaults: Mapping[str, Any] = MappingProxyType({})) -> list[Argument]:
    """Return arguments with positional ones numbered, and with defaults that other lines set, as by `set_defaults`."""
    placed, place = [], 0
    for argument in arguments:
        if argument.spelling == PLACE:
            place += 1
            argument = replace(argument, spelling=str(place))
        name = argument.name.replace("-", "_")
        placed.append(replace(argument, default=defaults[name]) if name in defaults else argument)
    return placed


def kind_of(type_name: str) -> str:
    """Return the kind of a value (float, int, word, text or other) by the name of its type or of its converting function."""
    last = type_name.rpartition(".")[2].lower()
    for kind, words in (("float", ("float", "number", "double")), ("bool", ("bool",)), ("int", ("int",))):
        if any(word in (last if "lambda" not in last else type_name) for word in words):
            return "word" if kind == "bool" else kind
    return "text" if last in ("str", "string", "path", "path_", "text") else "other"


def text_of(source: Source, node: ast.AST | None) -> str:
    """Return the help text at a node on one line; empty if it cannot be read."""
    value = source.value(node)
    return "" if value is None or isinstance(value, Unread) else " ".join(str(value).split())


def read_absl(sources: Sequence[Source]) -> Interface | None:
    """Return the flags that a script declares with absl, as by `DEFINE_float`; None if there are none."""
    kinds = {"float": "float", "integer": "int", "string": "text", "enum": "text", "bool": "bool", "boolean": "bool"}
    found = []
    for source in sources:
        for call in source.calls:
            what = ast.unparse(call.func).rpartition(".")[2]
            if not what.startswith("DEFINE_") or len(call.args) < 2:
                continue
            kind = kinds.get(what.removeprefix("DEFINE_"), "other")
            name, default = source.value(call.args[0]), source.value(call.args[1])
            values = source.value(call.args[2]) if what == "DEFINE_enum" and len(call.args) > 2 else ()
            spelling = f"--{name}/--no{name}" if kind == "bool" else None
            help_text = text_of(source, call.args[-1])
            found.append(
                Argument(name, kind, default, values, spelling=spelling, where=source.where(call), help=help_text)
            )
    return Interface("absl.flags", found) if found else None
