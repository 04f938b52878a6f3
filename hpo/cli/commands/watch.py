"""`hpo watch`: experiments in the terminal while they run."""

import signal
from typing import Annotated

import click

from hpo.cli.commands.app import Option, Place, verb


@verb()
def watch(
    place: Place,
    once: Annotated[bool, Option("Print one frame and exit.", ["--once"])] = False,
    interval: Annotated[float, Option("Shortest time between two frames.", metavar="SECONDS")] = 0.5,
) -> None:
    """Follow experiments live: progress, best, rungs, workers, failures. Reads their event stores, never blocks them."""
    from hpo.watching.loop import watch as follow

    try:
        follow(place, once=once, interval=interval)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(128 + signal.SIGINT) from None
