"""The command line of the verbs, and what they share."""

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
