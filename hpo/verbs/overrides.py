"""How a verb takes the overrides of a run."""

from collections.abc import Sequence
from typing import Annotated

import typer

from hpo.overrides import expand

Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE...", help="As for a run: benchmark=…, method=…")
]
ConfigDirs = Annotated[
    list[str] | None, typer.Option("--config-dir", "-cd", metavar="DIR", help="Your own configuration groups.")
]


def as_arguments(overrides: Sequence[str] | None, config_dirs: Sequence[str] | None) -> list[str]:
    """The command line of a run with these overrides."""
    return [*(f"--config-dir={folder}" for folder in config_dirs or ()), *expand(overrides or ())]
