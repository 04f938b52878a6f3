"""The command lines of the verbs, read from their signatures, and what they share."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import click

from hpo.errors import harmless


def say(text: object) -> None:
    """Print what a verb has to say; names and values in it may be somebody else's."""
    click.echo(harmless(str(text)))


VERBS: dict[str, click.Command] = {}
"""By their names, as far as their modules are imported."""

Function = TypeVar("Function", bound=Callable[..., None])


@dataclass(frozen=True)
class Word:
    """What an `Annotated` parameter of a verb is: a word in its place; a sequence takes all that follow."""

    metavar: str
    help: str


@dataclass(frozen=True)
class Option:
    """What an `Annotated` parameter of a verb is: an option; a sequence may be given several times."""

    help: str = ""
    names: Sequence[str] = ()
    """With their dashes, as `-o` and `--output`, or `--yes/--no`; from the parameter's name unless given."""
    metavar: str | None = None
    hidden: bool = False


def verb(name: str | None = None) -> Callable[[Function], Function]:
    """A function as a verb: its parameters are arguments and options, its docstring the help."""

    def register(function: Function) -> Function:
        known = name or function.__name__
        parameters = [_made(parameter) for parameter in inspect.signature(function).parameters.values()]
        VERBS[known] = _Verb(known, params=parameters, callback=function, help=inspect.getdoc(function))
        return function

    return register


class _Verb(click.Command):
    """Tells in its help what the arguments are, which click does since 8.5 only."""

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Nothing: they stand with the options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Arguments, then options."""
        if rows := [(p.human_readable_name, p.help or "") for p in self.params if isinstance(p, click.Argument)]:
            with formatter.section("Arguments"):
                formatter.write_dl(rows)
        super().format_options(ctx, formatter)


def _made(parameter: inspect.Parameter) -> click.Parameter:
    hint, about = get_args(parameter.annotation)
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not type(None)]
    several = get_origin(hint) is Sequence
    kind = click.Path(path_type=Path) if kinds[0] is Path else kinds[0]
    rest: dict[str, Any] = {"type": kind, "metavar": about.metavar}
    rest["required"] = parameter.default is inspect.Parameter.empty
    if not rest["required"] and not several:
        rest["default"] = parameter.default
    if isinstance(about, Word):
        rest["metavar"] = about.metavar if rest["required"] else f"[{about.metavar}]"
        made = click.Argument([parameter.name], nargs=-1 if several else 1, **rest)
        made.help = about.help
        return made
    names = [*(about.names or [f"--{parameter.name.replace('_', '-')}"]), parameter.name]
    if kind is bool:
        rest = {"is_flag": True, "default": parameter.default}
    told = parameter.default is not False and parameter.default not in (None, "", ())
    return click.Option(names, multiple=several, help=about.help, hidden=about.hidden, show_default=told, **rest)


Trusted = Annotated[
    Sequence[str],
    Option("Your own module that a stored _target_ may name; repeatable.", ["--trust"], metavar="MODULE"),
]


Place = Annotated[str, Word("DIR|TAG", "An experiment's directory, or a tag under outputs/.")]


Overrides = Annotated[Sequence[str], Word("KEY=VALUE...", "As for a run: benchmark=…, method=…")]


ConfigDirs = Annotated[Sequence[str], Option("Your own configuration groups.", ["--config-dir", "-cd"], metavar="DIR")]


def as_arguments(overrides: Sequence[str], config_dirs: Sequence[str]) -> list[str]:
    """The command line of a run with these overrides."""
    from hpo.cli.arguments import expand  # the schema is behind it, which most verbs do not need at once

    return [*(f"--config-dir={folder}" for folder in config_dirs), *expand(overrides)]
