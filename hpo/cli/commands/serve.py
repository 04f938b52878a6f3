"""`hpo serve`: experiments in a browser."""

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import click

from hpo.cli.commands.app import Option, Word, say, verb


@verb()
def serve(
    places: Annotated[
        Sequence[str],
        Word("DIR|TAG...", "Directories, or tags under outputs/; all of outputs/ unless given."),
    ] = (),
    port: Annotated[int | None, Option("8642 unless given, or the next one that is free.")] = None,
    host: Annotated[str, Option("Address to listen on; only with --host-name another than this.")] = "127.0.0.1",
    host_name: Annotated[
        Sequence[str],
        Option("A name by which it may be called; repeatable.", ["--host-name"], metavar="NAME"),
    ] = (),
    socket: Annotated[
        Path | None, Option("A socket of this name instead of a port; ssh -L 8642:SOCKET leads to it.")
    ] = None,
    base_path: Annotated[str, Option("Serve below this path.", ["--base-path"], metavar="/PATH")] = "",
    token_file: Annotated[
        Path | None, Option("Keep the link's token here, so that the link stays the same.", ["--token-file"])
    ] = None,
    steer: Annotated[bool, Option("Print a second link, by which running experiments can be steered.")] = False,
    browser: Annotated[bool, Option("Open a browser where there is one.", ["--browser/--no-browser"])] = True,
) -> None:
    """Show experiments in a browser while they run, and afterwards. It prints the link that opens it, and only looks."""
    from hpo.serve.server import Settings
    from hpo.serve.server import serve as run

    settings = Settings(
        port=port,
        host=host,
        host_names=host_name,
        socket=socket,
        base_path=base_path,
        token_file=token_file,
        steer=steer,
        browser=browser,
    )
    try:
        ended_by = run(places, settings, say)
    except KeyboardInterrupt:
        ended_by = signal.SIGINT
    raise click.exceptions.Exit(128 + ended_by)
