"""Declaration of commands: a function's signature becomes a click command line; options that several commands share."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import click

from hpo.errors import harmless


def say(text: object) -> None:
    """Print the output of a command, with control characters replaced: names and values may come from somebody else."""
    click.echo(harmless(str(text)))


VERBS: dict[str, click.Command] = {}
"""The click command of each imported command module, by name."""

Function = TypeVar("Function", bound=Callable[..., None])


@dataclass(frozen=True)
class Word:
    """Annotation of a command's positional argument; a sequence takes all remaining arguments."""

    metavar: str
    help: str


@dataclass(frozen=True)
class Option:
    """Annotation of a command's option; a sequence can be given several times."""

    help: str = ""
    names: Sequence[str] = ()
    """Spellings with dashes, such as `-o` and `--output`, or `--yes/--no`; derived from the parameter's name if empty."""
    metavar: str | None = None
    hidden: bool = False


def verb(name: str | None = None) -> Callable[[Function], Function]:
    """Register a function as a command: its parameters become arguments and options, its docstring the help text."""

    def register(function: Function) -> Function:
        known = name or function.__name__
        parameters = [_made(parameter) for parameter in inspect.signature(function).parameters.values()]
        VERBS[known] = _Verb(known, params=parameters, callback=function, help=inspect.getdoc(function))
        return function

    return register


class _Verb(click.Command):
    """A click command whose help also describes positional arguments, which click itself does only since version 8.5."""

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write nothing, because `format_options` writes the arguments, too."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help of arguments, then that of options."""
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
    Option("Module of yours that stored _target_ keys may import; repeatable.", ["--trust"], metavar="MODULE"),
]


Place = Annotated[str, Word("DIR|TAG", "An experiment's directory, or a tag under outputs/.")]


Overrides = Annotated[Sequence[str], Word("KEY=VALUE...", "As for a run: benchmark=…, method=…")]


ConfigDirs = Annotated[
    Sequence[str], Option("Folder of your own configuration groups.", ["--config-dir", "-cd"], metavar="DIR")
]


def as_arguments(overrides: Sequence[str], config_dirs: Sequence[str]) -> list[str]:
    """Return the command line of `hpo run` for given overrides and configuration folders."""
    from hpo.cli.arguments import expand  # here: it imports the schema, which most commands do not need

    return [*(f"--config-dir={folder}" for folder in config_dirs), *expand(overrides)]
