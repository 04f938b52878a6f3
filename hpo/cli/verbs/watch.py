"""`hpo watch`: experiments while they run."""

import signal
from typing import Annotated

import typer

from hpo.cli.verbs.app import Place, app


@app.command()
def watch(
    place: Place,
    once: Annotated[bool, typer.Option("--once", help="Print one frame and end.")] = False,
    interval: Annotated[float, typer.Option(metavar="SECONDS", help="Least time between two frames.")] = 0.5,
) -> None:
    """Follow experiments live from their event stores: progress, best, rungs, workers, failures. Never blocks them."""
    from hpo.watching.loop import watch as follow

    try:
        follow(place, once=once, interval=interval)
    except KeyboardInterrupt:
        raise typer.Exit(128 + signal.SIGINT) from None
