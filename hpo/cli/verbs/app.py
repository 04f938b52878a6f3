"""The command line of the verbs, and what they share."""

from collections.abc import Sequence
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


Trusted = Annotated[
    list[str] | None,
    typer.Option("--trust", metavar="MODULE", help="Your own module that a stored _target_ may name; repeatable."),
]


Place = Annotated[str, typer.Argument(metavar="DIR|TAG", help="An experiment's directory, or a tag under outputs/.")]


@app.callback()
def about() -> None:
    """Look at experiments. `hpo <overrides>` runs them, `hpo --help` says how."""


Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE...", help="As for a run: benchmark=…, method=…")
]


ConfigDirs = Annotated[
    list[str] | None, typer.Option("--config-dir", "-cd", metavar="DIR", help="Your own configuration groups.")
]


def as_arguments(overrides: Sequence[str] | None, config_dirs: Sequence[str] | None) -> list[str]:
    """The command line of a run with these overrides."""
    from hpo.cli.arguments import expand  # the schema is behind it, which most verbs do not need at once

    return [*(f"--config-dir={folder}" for folder in config_dirs or ()), *expand(overrides or ())]
