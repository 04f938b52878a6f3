"""`hpo watch`: experiments while they run."""

import signal
from typing import Annotated

import click

from hpo.cli.commands.app import Option, Place, verb


@verb()
def watch(
    place: Place,
    once: Annotated[bool, Option("Print one frame and end.", ["--once"])] = False,
    interval: Annotated[float, Option("Least time between two frames.", metavar="SECONDS")] = 0.5,
) -> None:
    """Follow experiments live from their event stores: progress, best, rungs, workers, failures. Never blocks them."""
    from hpo.watching.loop import watch as follow

    try:
        follow(place, once=once, interval=interval)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(128 + signal.SIGINT) from None
