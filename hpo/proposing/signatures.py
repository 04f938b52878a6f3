"""Arguments declared by signatures: functions for typer and fire, dataclasses for Hydra and HfArgumentParser."""

import ast
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hpo.proposing.argparse_options import PLACE, kind_of, text_of, with_places
from hpo.proposing.arguments import Argument, Interface, Unread, of_commands, style_of
from hpo.proposing.source import Function, Source

_DEEPEST = 9
"""Depth up to which nested dataclasses are read; one may contain itself."""


class Parameter(NamedTuple):
    """A parameter of a function, or a field of a dataclass."""

    node: ast.AST
    name: str
    annotation: ast.expr | None
    default: ast.expr | None


def parameters(function: Function) -> Iterator[Parameter]:
    """Yield the parameters of a function in order, without self and cls."""
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    defaults = [*[None] * (len(plain) - len(given.defaults)), *given.defaults]
    for node, default in [*zip(plain, defaults, strict=True), *zip(given.kwonlyargs, given.kw_defaults, strict=True)]:
        if node.arg not in ("self", "cls"):
            yield Parameter(node, node.arg, node.annotation, default)


def read_typer(sources: Sequence[Source]) -> Interface | None:
    """Return the arguments of functions that are commands of a `typer.Typer` or run by `typer.run`; None without any."""
    commands: dict[str, list[Argument]] = {}
    several = False
    for source in sources:
        apps = {n for n, v in source.assigned.items() if isinstance(v, ast.Call) and _is(source, v, "typer.Typer")}
        run = {ast.unparse(call.args[0]) for call in source.calls if _is(source, call, "typer.run") and call.args}
        for name, function in source.functions.items():
            marks = {}
            for decorator in function.decorator_list:
                call = decorator.func if isinstance(decorator, ast.Call) else decorator
                if isinstance(call, ast.Attribute) and ast.unparse(call.value) in apps:
                    marks[call.attr] = decorator
            several |= "callback" in marks
            if name in run or "command" in marks:
                given = getattr(marks.get("command"), "args", [])
                word = str(source.value(given[0])) if given else name.replace("_", "-")
                commands[word] = with_places([_of_typer(source, p) for p in parameters(function)])
    if len(commands) > 1 or (commands and several):
        return of_commands("typer", commands)
    return next((Interface("typer", taken, style_of(taken)) for taken in commands.values()), None)


def _is(source: Source, call: ast.Call, name: str) -> bool:
    return source.full_name(call.func) == name


def _of_typer(source: Source, parameter: Parameter) -> Argument:
    """Return the argument that a typer parameter declares. `typer.Option` may be its default or in its annotation."""
    annotation, default, info = parameter.annotation, parameter.default, None
    if isinstance(annotation, ast.Subscript) and source.full_name(annotation.value).endswith("Annotated"):
        inside = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        annotation, info = inside[0], next((item for item in inside[1:] if isinstance(item, ast.Call)), None)
    elif isinstance(default, ast.Call) and source.full_name(default.func).startswith("typer."):
        info, default = default, default.args[0] if default.args else source.keywords(default).get("default")
    given = source.keywords(info) if info is not None else {}
    words = [source.value(word) for word in info.args] if info is not None else []
    options = [word for word in words if isinstance(word, str) and word.startswith("-")]
    place = source.full_name(info.func).endswith("Argument") if info is not None else default is None
    required = default is None or (isinstance(default, ast.Constant) and default.value is ...)
    kind, choices = kind_and_choices(source, annotation, default)
    name = next((word for word in options if word.startswith("--")), f"--{parameter.name.replace('_', '-')}")
    spelling = options[0] if options and not any(word.startswith("--") for word in options) else None
    if kind == "bool":
        spelling = name if "/" in name or (options and "/" not in name) else f"{name}/--no-{name[2:]}"
        spelling = None if spelling == name and "/" not in name else spelling
    return Argument(
        name.lstrip("-").partition("/")[0],
        kind,
        None if required else constant(source, default),
        choices,
        (source.value(given.get("min")), source.value(given.get("max"))),
        required=required,
        spelling=PLACE if place else spelling,
        where=source.where(parameter.node),
        help=text_of(source, given.get("help")),
    )


def constant(source: Source, node: ast.expr | None) -> Any:
    """Return a default value; for a member of an enumeration its value."""
    value = source.value(node)
    if isinstance(value, Unread) and isinstance(node, ast.Attribute):
        parts = [part for part in (node, node.value) if isinstance(part, ast.Attribute)]
        for part in parts:
            cls = source.classes.get(ast.unparse(part.value))
            for item in cls.body if cls is not None else []:
                if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == part.attr:
                    return source.value(item.value)
    return value


def kind_and_choices(
    source: Source, annotation: ast.expr | None, default: ast.expr | None
) -> tuple[str, Sequence[Any]]:
    """Return the kind and the choices of a parameter, by its annotation or else by its default."""
    if annotation is None:
        value = source.value(default)
        kind = {bool: "bool", int: "int", float: "float", str: "text"}.get(type(value), "other")
        return kind, ()
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    if isinstance(annotation, ast.BinOp):  # float | None
        sides = [side for side in (annotation.left, annotation.right) if ast.unparse(side) != "None"]
        return kind_and_choices(source, sides[0], default) if len(sides) == 1 else ("other", ())
    if isinstance(annotation, ast.Subscript):
        outer = source.full_name(annotation.value).rpartition(".")[2]
        if outer in ("Optional", "Annotated"):
            inner = annotation.slice.elts[0] if isinstance(annotation.slice, ast.Tuple) else annotation.slice
            return kind_and_choices(source, inner, default)
        values = source.value(annotation.slice)
        return (
            ("text", values if isinstance(values, list | tuple) else (values,)) if outer == "Literal" else ("other", ())
        )
    name = ast.unparse(annotation)
    cls = source.classes.get(name)
    if cls is not None and any("Enum" in ast.unparse(base) for base in cls.bases):
        return "text", [source.value(item.value) for item in cls.body if isinstance(item, ast.Assign)]
    kind = kind_of(name)
    return "bool" if kind == "word" else kind, ()


def read_fire(sources: Sequence[Source]) -> Interface | None:
    """Return the arguments of what `fire.Fire` is given: a function, a class, a mapping, or all functions of the file."""
    source = sources[0]
    call = next((call for call in source.calls if source.full_name(call.func) in ("fire.Fire", "Fire")), None)
    if call is None:
        return None
    functions = {name: function for one in sources for name, function in one.functions.items()}
    given = call.args[0] if call.args else source.keywords(call).get("component")
    name = ast.unparse(given) if given is not None else ""
    if given is None or isinstance(given, ast.Dict):
        keys = given.keys if isinstance(given, ast.Dict) else []
        pairs = zip(keys, given.values, strict=True) if isinstance(given, ast.Dict) else ()
        named = {str(source.value(key)): ast.unparse(value) for key, value in pairs}
        if given is None:
            named = {n.name: n.name for n in source.tree.body if isinstance(n, Function)}
        found = {word: _of_fire(source, [functions[name]]) for word, name in named.items() if name in functions}
        return of_commands("fire", found) if found else Interface("fire", unread=1)
    if (cls := next((one.classes[name] for one in sources if name in one.classes), None)) is not None:
        methods = {node.name: node for node in cls.body if isinstance(node, Function)}
        begins = [methods.pop("__init__")] if "__init__" in methods else []
        found = {n: _of_fire(source, [*begins, m]) for n, m in methods.items() if not n.startswith("_")}
        return of_commands("fire", found) if found else Interface("fire", unread=1)
    if name not in functions:
        return Interface("fire", unread=1)
    return Interface("fire", _of_fire(source, [functions[name]]))


def _of_fire(source: Source, functions: Sequence[Function]) -> list[Argument]:
    found = []
    for parameter in (parameter for function in functions for parameter in parameters(function)):
        kind, choices = kind_and_choices(source, parameter.annotation, parameter.default)
        kind = "word" if kind == "bool" else kind
        default, where = constant(source, parameter.default), source.where(parameter.node)
        found.append(Argument(parameter.name, kind, default, choices, required=parameter.default is None, where=where))
    return found


def fields_of(source: Source, name: str, prefix: str = "") -> list[Argument]:
    """Return the fields of a dataclass and of dataclasses in it, by dotted names."""
    cls = source.classes[name]
    found: dict[str, Argument] = {}
    for base in cls.bases:
        if ast.unparse(base) in source.classes:
            found |= {argument.name: argument for argument in fields_of(source, ast.unparse(base), prefix)}
    for node in cls.body:
        if not isinstance(node, ast.AnnAssign):
            continue
        key, default, given = prefix + ast.unparse(node.target), node.value, {}
        inner = ast.unparse(node.annotation)
        if isinstance(default, ast.Call) and source.full_name(default.func).rpartition(".")[2] == "field":
            given = source.keywords(default)
            factory = given.get("default_factory")
            default = factory.body if isinstance(factory, ast.Lambda) else given.get("default")
            if default is None and factory is not None:
                inner = ast.unparse(factory) if ast.unparse(factory) in source.classes else inner
                default = factory
        if (
            inner in source.classes
            and prefix.count(".") < _DEEPEST
            and not any("Enum" in ast.unparse(base) for base in source.classes[inner].bases)
        ):
            found |= {argument.name: argument for argument in fields_of(source, inner, f"{key}.")}
            continue
        kind, choices = kind_and_choices(source, node.annotation, default)
        value = constant(source, default)
        metadata = given.get("metadata")
        pairs = zip(metadata.keys, metadata.values, strict=True) if isinstance(metadata, ast.Dict) else ()
        told = {source.value(k): v for k, v in pairs if k is not None}
        missing = default is None or value in ("MISSING", "???") or (isinstance(value, Unread) and "MISSING" in value)
        found[key] = Argument(
            key,
            "word" if kind == "bool" else kind,
            None if missing else value,
            choices,
            required=missing,
            where=source.where(node),
            help=text_of(source, told.get("help")),
        )
    return list(found.values())
